"""Who did what, when: one tamper-evident chain of events per organisation."""
