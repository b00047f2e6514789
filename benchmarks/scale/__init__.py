"""The packages at the size of a whole analysis: rates and memory, from 1e5 events to as many as there is time for."""
