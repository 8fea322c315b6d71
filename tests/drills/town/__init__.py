"""An app that a drilled house has beside ours: a kind that is told on every channel, and tasks that misbehave."""
