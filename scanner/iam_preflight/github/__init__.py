"""GitHub: what the action does, and how a report gets to a pull request."""
