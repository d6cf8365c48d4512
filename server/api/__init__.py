"""The native API: numbered chunks in, files out. `docs/api.md` describes it for those who call it."""
