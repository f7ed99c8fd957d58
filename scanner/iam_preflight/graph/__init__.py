"""The resource graph: who there is, what they hold, who can become whom."""
