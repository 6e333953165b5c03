"""Figures about searches, from their records alone: no judge, no language model.

`figures` are cheap and made when asked for; `daily` puts those beside what is dear: drift, topics
and index recall.
"""
