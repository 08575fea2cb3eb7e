"""What can be switched off while the app runs."""

FLAGS = {
    "model.monitoring.judge": "The judge of sampled answers; they wait for it meanwhile.",
    "model.monitoring.training": "Trainings at a provider; those under way go on.",
}
