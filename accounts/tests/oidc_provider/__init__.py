"""A real provider for the tests: a process that speaks OAuth 2.0 and OpenID Connect on Authlib's server side.

It signs people in without a page, by `login_hint`, and serves three flavours: `/oidc` (plain OpenID Connect),
`/microsoft/common/v2.0` (the issuer names each person's tenant) and `/github` (OAuth with an API). What it does
wrong on request stands in `server.Behaviour`.
"""
