"""The table and the plot of `make quality`."""
import math
import matplotlib
matplotlib.use('svg')
import matplotlib.pyplot as plt

# What is aimed at, by row and network; without an entry it is only told.
GOALS = {
    'PCMU': {'clean': 3.0, '5 % loss': 2.5, '20 % loss': 1.9, '30 ± 20 ms': 2.9},
    'Opus, to any Opus peer': {'clean': 4.4, '5 % loss': 3.9, '20 % loss': 2.9, '20 % in bursts': 1.8, '30 ± 20 ms': 4.3},
    'Opus, between two of ours': {'clean': 4.4, '5 % loss': 4.2, '20 % loss': 3.7, '20 % in bursts': 1.8, '30 ± 20 ms': 4.3},
}


def table(rows, networks, means):
    """means: by row and network PESQ, milliseconds and processor seconds."""
    lines = ['| PESQ-WB (ms) | ' + ' | '.join(networks) + ' | processor, s/60 s |', '|---' * (len(networks) + 2) + '|']
    for row in rows:
        cells = []
        for network in networks:
            score, delay, _ = means[row, network]
            goal = GOALS.get(row, {}).get(network)
            told = f'{score:.2f}' if goal is None else f'{score:.2f} ≥ {goal}' if score >= goal else f'**{score:.2f}** < {goal}'
            cells.append(told if math.isnan(delay) else f'{told} ({delay:.0f})')
        lines.append(f'| {row} | ' + ' | '.join(cells) + f' | {means[row, "clean"][2]:.2f} |')
    return '\n'.join(lines)


def write(folder, rows, networks, means, sentences, seeds):
    (folder / 'quality.md').write_text(f'''# How calls sound

By `make quality`: {sentences} sentences of synthetic speech through real calls over loopback, with a relay between the phones that
loses and delays packets of both directions, the same ones for the same seed; mean of {len(seeds)} seeds (one where nothing is lost).
PESQ-WB is ITU-T P.862.2; beside it, in milliseconds, what the call took from mouth to ear beyond the network's own delay (baresip
writes down what has not waited in its buffer). In *20 % in bursts* a loss takes 2.5 packets on average. *To any Opus peer*: the
relay takes RFC 2198 out of the offers. A goal stands beside its figure; one that was missed is in bold. Processor time is ours,
of the clean call, while several others run. baresip is Debian's 1.0.0 (Opus at 96 kb/s, in-band FEC on).

{table(rows, networks, means)}

![The table as bars](quality.svg)
''')
    figure, axes = plt.subplots(figsize=(10, 0.9 * len(rows) + 1.5))
    height = 0.8 / len(networks)
    for number, network in enumerate(networks):
        at = [row + (number - len(networks) / 2) * height for row in range(len(rows))]
        axes.barh(at, [means[row, network][0] for row in rows], height, align='edge', label=network)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlim(1, 4.64)
    axes.set_xlabel('PESQ-WB')
    axes.grid(axis='x', alpha=0.4)
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, 1.1), ncols=len(networks), frameon=False)
    figure.savefig(folder / 'quality.svg', bbox_inches='tight', metadata={'Date': None})
