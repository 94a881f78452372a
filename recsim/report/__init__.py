"""From a run folder to tables, pictures and text."""
