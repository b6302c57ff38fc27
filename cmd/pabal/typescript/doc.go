// Package typescript writes the objects of the local API as TypeScript types, for frontends whose authors
// have no generator at hand. It reads the JSON Schema that openapi.json is made of, and only as much of it
// as that uses: anything else is an error, not a guess.
package typescript
