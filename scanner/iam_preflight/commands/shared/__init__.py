"""What several commands share: their options, their output, their progress."""
