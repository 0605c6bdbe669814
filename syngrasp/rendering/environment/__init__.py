"""What shines from all around: skies, studios, pictures."""
