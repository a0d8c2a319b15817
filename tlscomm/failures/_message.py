"""Failures of single messages."""

from __future__ import annotations

from tlscomm.failures._failure import MessageFailure

__all__ = ["MessageTooLong", "Undecodable"]


class MessageTooLong(MessageFailure):
    """A message is longer than the receiver allows."""

    code = "message-too-long"
    summary = "a message is too long"
    ours = "Send smaller messages, or raise the limit on the receiving side (--maximum-message)."
    theirs = ours
    reproduce = "Send a message of more than --maximum-message bytes."


class Undecodable(MessageFailure):
    """Bytes are no message of the framing that was agreed, or a message cannot be carried by it."""

    code = "undecodable"
    summary = "the bytes are no message of this framing"
    ours = "Check that both sides use the same framing, and text in UTF-8. Binary data needs netstring or int32."
    theirs = ours
    reproduce = "Send bytes that are not UTF-8 with the framing eof."
