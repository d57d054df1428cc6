from .jsonl import read_graphs as read_graphs
