"""Random graphs of networks, and the same graphs in another order of their vertices."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from pyg_nas.spaces.modules.network_graph import NetworkGraph, Vertex

KINDS = ("conv", "relu", "linear", "add", "matmul", "my_operation")


@st.composite
def networks(draw: st.DrawFn, most: int = 12) -> NetworkGraph:
    number = draw(st.integers(0, 2**32 - 1))
    return random_network(draw(st.integers(3, most)), number)


def random_network(vertices: int, seed: int) -> NetworkGraph:
    """A graph whose vertices read one to three of the ten before them."""
    generator = random.Random(seed)
    made = [Vertex("input", shape=(1, 3, 8, 8))]
    for position in range(1, vertices - 1):
        earlier = range(max(0, position - 10), position)
        count = min(len(earlier), generator.choice((1, 1, 2, 3)))
        made.append(
            Vertex(
                generator.choice(KINDS),
                sources=tuple(generator.sample(earlier, count)),
                shape=(1, generator.choice((4, 8, 16)), 8, 8),
                kernel=(3, 3) if generator.random() < 0.3 else (),
                parameters=generator.choice((0, 10, 1000)),
                macs=generator.choice((0, 500, 10**6)),
                bytes_read=generator.randrange(10**5),
                bytes_written=generator.randrange(10**5),
            )
        )
    read = {source for vertex in made for source in vertex.sources}
    ends = tuple(i for i in range(len(made)) if i not in read)
    return NetworkGraph((*made, Vertex("output", sources=ends, shape=(1, 10))))


def reordered(graph: NetworkGraph, generator: random.Random) -> NetworkGraph:
    """The same graph in another order in which it can be computed."""
    waiting, order = list(range(1, len(graph) - 1)), [0]
    while waiting:
        ready = [v for v in waiting if set(graph.vertices[v].sources) <= set(order)]
        order.append(generator.choice(ready))
        waiting.remove(order[-1])
    order.append(len(graph) - 1)
    place = {old: new for new, old in enumerate(order)}
    moved = [
        replace(graph.vertices[old], sources=tuple(place[s] for s in graph.vertices[old].sources))
        for old in order
    ]
    return NetworkGraph(tuple(moved), graph.unused_parameters)
