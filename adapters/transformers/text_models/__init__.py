"""Text models of Transformers: finding them on disk, loading them with care, embedding, generating, classifying."""
