#!/usr/bin/python3
"""The window as assistive technology sees it, through AT-SPI.

atspi.py tree                    every node: role, name, actions, states
atspi.py wait NAME               until a node of that name is there
atspi.py gone NAME               until none is there any more
atspi.py click NAME              does the node's first action
atspi.py set NAME TEXT           puts text into a field

NAME ending in * stands for every name that starts so. Exits with 1 and a sentence when it waited in vain.
"""

import sys
import time
import warnings

import gi

warnings.simplefilter("ignore")
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi

PATIENCE = 25.0


def walk(node, depth=0):
    yield node, depth
    try:
        for index in range(node.get_child_count()):
            child = node.get_child_at_index(index)
            if child is not None:
                yield from walk(child, depth + 1)
    except Exception:
        return  # the tree changed under us: the next look sees it whole


def matches(node, name):
    try:
        found = node.get_name() or ""
    except Exception:
        return False
    return found.startswith(name[:-1]) if name.endswith("*") else found == name


def look(name, roles=()):
    for node, _ in walk(Atspi.get_desktop(0)):
        if matches(node, name) and (not roles or node.get_role_name() in roles):
            return node
    return None


def until(condition, sentence):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    names = [node.get_name() for node, _ in walk(Atspi.get_desktop(0))]
    sys.exit(f"{sentence} in {PATIENCE:.0f} s; there is: {[name for name in names if name]}")


def find(name, roles=()):
    return until(lambda: look(name, roles), f"{name!r} did not appear")


def actions(node):
    interface = node.get_action_iface()
    return [Atspi.Action.get_action_name(interface, i) for i in range(Atspi.Action.get_n_actions(interface))] if interface else []


def pressable(name):
    """A node that can be pressed; labels share names with what they label."""
    for node, _ in walk(Atspi.get_desktop(0)):
        if matches(node, name) and node.get_role_name() != "label" and actions(node):
            return node
    return None


def main(command, *arguments):
    Atspi.init()
    if command == "tree":
        for node, depth in walk(Atspi.get_desktop(0)):
            states = " ".join(state.value_nick for state in node.get_state_set().get_states())
            print("  " * depth + node.get_role_name(), repr(node.get_name()), actions(node), states)
    elif command == "wait":
        find(arguments[0])
    elif command == "gone":
        until(lambda: look(arguments[0]) is None, f"{arguments[0]!r} did not go away")
    elif command == "click":
        node = until(lambda: pressable(arguments[0]), f"nothing called {arguments[0]!r} can be pressed")
        if not Atspi.Action.do_action(node.get_action_iface(), 0):
            sys.exit(f"{arguments[0]!r} refused to be pressed")
    elif command == "set":
        field = find(arguments[0], ("entry", "password text"))
        if not Atspi.EditableText.set_text_contents(field.get_editable_text_iface(), arguments[1]):
            sys.exit(f"{arguments[0]!r} takes no text")
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
