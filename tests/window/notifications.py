#!/usr/bin/python3
"""A desktop's notification service that writes down what it is asked for.

Standard output: `notify ID REPLACES SUMMARY`, `close ID`. Standard input: `dismiss ID`, `press ID ACTION`.
"""

import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
XML = """<node><interface name="org.freedesktop.Notifications">
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
<arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
</interface></node>"""


class Service:
    def __init__(self, connection):
        self.connection = connection
        self.last = 0
        interface = Gio.DBusNodeInfo.new_for_xml(XML).interfaces[0]
        connection.register_object(PATH, interface, self.called, None, None)

    def called(self, _connection, _sender, _path, _interface, method, arguments, invocation):
        arguments = arguments.unpack()
        if method == "Notify":
            number = arguments[1]
            if not number:
                self.last += 1
                number = self.last
            print("notify", number, arguments[1], arguments[3], flush=True)
            invocation.return_value(GLib.Variant("(u)", (number,)))
        else:
            print("close", arguments[0], flush=True)
            invocation.return_value(None)
            self.say("NotificationClosed", "(uu)", (arguments[0], 3))

    def say(self, signal, types, values):
        self.connection.emit_signal(None, PATH, NAME, signal, GLib.Variant(types, values))

    def told(self, channel, _condition):
        words = channel.readline().split()
        if not words:
            loop.quit()
            return False
        number = int(words[1])
        if words[0] == "dismiss":
            signal = ("NotificationClosed", "(uu)", (number, 2))
        else:
            signal = ("ActionInvoked", "(us)", (number, words[2]))
        # Again and again until there is another: who has just shown one may not listen yet.
        GLib.timeout_add(100, lambda: self.last == number and (self.say(*signal) or True))
        return True


loop = GLib.MainLoop()
bus = Gio.bus_get_sync(Gio.BusType.SESSION)
service = Service(bus)
GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, service.told)
Gio.bus_own_name_on_connection(bus, NAME, Gio.BusNameOwnerFlags.NONE, lambda *_: print("ready", flush=True), None)
loop.run()
