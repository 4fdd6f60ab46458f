"""What signs a request to Mesa: an API key as it is, or a private key, which signs a fresh token each time."""

import time
from dataclasses import dataclass, field

from mesabox.clients.base import Secret
from mesabox.errors import CredentialsProblem
from mesabox.wire.mesa_tokens import PrivateKey, sign_admin_token


@dataclass(frozen=True, slots=True)
class ApiKey:
    secret: Secret

    def token(self) -> str:
        return self.secret.reveal()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An organization's private key; ``org`` is written in it."""

    key: PrivateKey = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Raises CredentialsProblem, which never quotes the key."""
        try:
            return cls(PrivateKey.parse(text))
        except ValueError as error:
            raise CredentialsProblem(
                "MESA_PRIVATE_KEY is not a Mesa private key", why=str(error), fix="copy it again, whole"
            ) from None

    @property
    def org(self) -> str:
        return self.key.org

    def token(self) -> str:
        return sign_admin_token(self.key, now=time.time())


MesaCredential = ApiKey | SigningKey
