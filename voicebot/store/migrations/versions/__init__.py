"""One step each: what changes in the database, and how to go back."""
