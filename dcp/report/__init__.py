"""What people read: a comparison or a run for the terminal, as Markdown or HTML. Only here is anything in percent."""
