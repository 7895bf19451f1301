"""The report as one HTML file: no script, no network. Each module makes one kind of section."""
