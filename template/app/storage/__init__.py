"""Files: encrypted, on disk or in a bucket, under names that nobody chose."""
