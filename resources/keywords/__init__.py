"""What the keywords of a schema do: field rules, sealed values, unique values, references."""
