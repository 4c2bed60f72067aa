"""Trained runs behind the OpenAI API: which names answer, who computes, what goes over the wire."""
