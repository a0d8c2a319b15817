"""Access rules: their texts, and when one fits."""
