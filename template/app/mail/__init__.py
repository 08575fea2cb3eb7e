"""Mail, written by the caller's transaction and sent by a job."""
