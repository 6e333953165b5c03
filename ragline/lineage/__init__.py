"""Lineage: events about syncs and builds for a program that collects OpenLineage events.

`activation` says whether the environment asks for events. `facts` has what an event says as plain
values, `events` makes the events with the OpenLineage client, and `emitter` sends them.
`ragline.lifecycle.run_lineage` decides when an event is sent. Without a configuration, the client
is never imported.
"""
