package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"pabal/cmd/pabal/speech"
	"pabal/node/api"
)

func (c *cli) settingsCommand() *cobra.Command {
	return c.group("settings", c.settingsGet(), c.settingsSet())
}

func (c *cli) settingsGet() *cobra.Command {
	return c.command("get [setting]", c.between(0, 1), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		settings, err := daemon.Settings(ctx)
		if err != nil {
			return err
		}
		return c.show(settings, func() error {
			switch {
			case len(args) == 0:
				return c.table([][]string{
					{settingDisappearing, disappearing(settings.Disappearing)},
					{settingLanguage, dash(settings.Language)},
					{settingDeletions, settings.Deletions},
					{settingLockIdle, lockIdle(settings.LockIdle)},
					{settingNotify, settings.Notify},
				})
			case args[0] == settingDisappearing:
				return c.print(disappearing(settings.Disappearing))
			case args[0] == settingLanguage:
				return c.print(dash(settings.Language))
			case args[0] == settingDeletions:
				return c.print(settings.Deletions)
			case args[0] == settingLockIdle:
				return c.print(lockIdle(settings.LockIdle))
			case args[0] == settingNotify:
				return c.print(settings.Notify)
			}
			return fail(exitUsage, "usage", speech.NoSuchSetting)
		})
	}))
}

// The names of settings are those of the API.
const (
	settingDisappearing = "disappearing"
	settingLanguage     = "language"
	settingDeletions    = "deletions"
	settingLockIdle     = "lock_idle_seconds"
	settingNotify       = "notifications"
)

// lockIdleOff is the value of the setting with which the screen is never locked by itself.
const lockIdleOff = "off"

func lockIdle(seconds int64) string {
	if seconds == 0 {
		return lockIdleOff
	}
	return shortDuration(time.Duration(seconds) * time.Second)
}

// parseLockIdle reads "off", "300", "5m" or "1h"; the daemon says what is too short.
func parseLockIdle(s string) (*int64, error) {
	if s == lockIdleOff {
		return new(int64), nil
	}
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return &seconds, nil
	}
	d, err := parseDuration(s)
	if err != nil || d < api.LockIdleMin*time.Second {
		return nil, fail(exitUsage, "usage", speech.LockIdleWrong)
	}
	seconds := int64(d / time.Second)
	return &seconds, nil
}

func (c *cli) settingsSet() *cobra.Command {
	cmd := c.command("set <setting> <value>", c.exactly(2), c.remote(callTimeout, func(ctx context.Context, daemon *api.Client, args []string) error {
		var patch api.SettingsPatch
		switch args[0] {
		case settingDisappearing:
			timer, err := parseDisappearing(args[1])
			if err != nil {
				return err
			}
			patch.Disappearing = api.Some(timer)
		case settingLanguage:
			language := args[1]
			if language == "auto" {
				language = ""
			}
			patch.Language = &language
		case settingDeletions:
			patch.Deletions = &args[1]
		case settingNotify:
			patch.Notify = &args[1]
		case settingLockIdle:
			seconds, err := parseLockIdle(args[1])
			if err != nil {
				return err
			}
			patch.LockIdle = seconds
		default:
			return fail(exitUsage, "usage", speech.NoSuchSetting)
		}
		settings, err := daemon.UpdateSettings(ctx, patch)
		if err != nil {
			return err
		}
		c.say(speech.SettingSaved)
		return c.show(settings, func() error { return nil })
	}))
	cmd.ValidArgs = []string{settingDisappearing, settingLanguage, settingDeletions, settingLockIdle}
	return withExample(cmd, `  pabal settings set disappearing 1w:read
  pabal settings set language ko
  pabal settings set deletions refuse
  pabal settings set lock_idle_seconds 5m`)
}
