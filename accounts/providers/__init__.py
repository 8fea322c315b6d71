"""Providers of social sign-in: who they are by the settings, and how one of them proves who somebody is.

`table` reads the settings, `flows` speaks the protocol (OAuth 2.0 by RFC 9700: code, PKCE, state, exact redirect),
`openid` and `github` turn the provider's answer into a `ProvenIdentity`. Nothing here touches the database.
"""
