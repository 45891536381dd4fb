"""The database's history, one numbered file per step under versions/; applied by voicebot.store.schema."""
