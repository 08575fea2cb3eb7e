"""What can be switched off while the app runs."""

FLAGS = {"model.documents": "Vectors of documents and questions; without them words are searched."}
