"""From words to objects: the schema of scenarios, their files, and what they build."""
