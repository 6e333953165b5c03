"""Searching a collection's live generation, reranking, and keeping what was asked.

Building what is searched is `ragline.lifecycle`; speaking HTTP about it is `retrieval_api`.
"""
