package main

import (
	"context"

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
				})
			case args[0] == settingDisappearing:
				return c.print(disappearing(settings.Disappearing))
			case args[0] == settingLanguage:
				return c.print(dash(settings.Language))
			}
			return fail(exitUsage, "usage", speech.NoSuchSetting)
		})
	}))
}

// The names of settings are those of the API.
const (
	settingDisappearing = "disappearing"
	settingLanguage     = "language"
)

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
	cmd.ValidArgs = []string{settingDisappearing, settingLanguage}
	return withExample(cmd, `  pabal settings set disappearing 1w:read
  pabal settings set language ko`)
}
