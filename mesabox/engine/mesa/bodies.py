"""The request bodies of the REST API, and what each field may be. Unknown fields are ignored, as the service does."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from mesabox.engine.mesa.conflicts import ByHunk, Resolution, WholeFile
from mesabox.engine.mesa.objects import is_bookmark_name
from mesabox.engine.mesa.problems import invalid
from mesabox.wire.mesa import (
    KEY_TTL_SECONDS,
    MAX_TAG_KEY,
    MAX_TAG_VALUE,
    Scope,
    check_repo_name,
    parse_change_id,
)
from mesabox.wire.mesa_paths import check_path
from mesabox.wire.mesa_tokens import Author

_MOST_FILES = 10_000


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not valid base64") from None


def _bookmark_name(name: str) -> str:
    if not is_bookmark_name(name):
        raise ValueError("is not a valid bookmark name (the rules are git's for branches)")
    return name


def _message(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def check_tag_key(key: str) -> str:
    """Lower-cased; ValueError when it cannot be one."""
    if not 1 <= len(key) <= MAX_TAG_KEY or key.startswith("$"):
        raise ValueError(f"a tag's key has 1 to {MAX_TAG_KEY} characters and does not start with '$'")
    return key.lower()


def _lowered(tags: dict[str, Any]) -> dict[str, Any]:
    return {check_tag_key(key): value for key, value in tags.items()}


Base64 = Annotated[bytes, BeforeValidator(_base64)]
BookmarkName = Annotated[str, AfterValidator(_bookmark_name)]
ChangeId = Annotated[str, AfterValidator(parse_change_id)]
Message = Annotated[str, AfterValidator(_message)]
Path = Annotated[str, AfterValidator(check_path)]
RepoName = Annotated[str, AfterValidator(check_repo_name)]
TagKey = Annotated[str, AfterValidator(check_tag_key)]
TagValue = Annotated[str, StringConstraints(max_length=MAX_TAG_VALUE)]
Tags = Annotated[dict[str, TagValue], AfterValidator(_lowered)]
TagEdits = Annotated[dict[str, TagValue | None], AfterValidator(_lowered)]


class CreateKey(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    scopes: Annotated[list[Scope], Field(min_length=1)] = ["read", "write"]
    repo_ids: Annotated[list[str], Field(min_length=1)] | None = None
    expires_in_seconds: Annotated[int, Field(ge=KEY_TTL_SECONDS.start, lt=KEY_TTL_SECONDS.stop)] | None = None
    tags: Tags = {}


class UpdateKey(BaseModel):
    tags: TagEdits


class CreateRepo(BaseModel):
    name: RepoName | None = None
    default_bookmark: BookmarkName = "main"
    tags: Tags = {}
    upstream: None = None


class UpdateRepo(BaseModel):
    name: RepoName | None = None
    default_bookmark: BookmarkName | None = None
    tags: TagEdits = {}
    upstream: None = None


class BulkTags(BaseModel):
    repo_ids: list[str]
    action: Literal["set", "remove"]
    key: TagKey
    value: TagValue | None = None

    @model_validator(mode="after")
    def _has_value(self) -> "BulkTags":
        if self.action == "set" and self.value is None:
            raise ValueError("value is required to set a tag")
        return self


class CreateBookmark(BaseModel):
    name: BookmarkName
    change_id: ChangeId


class MoveBookmark(BaseModel):
    """allow_backwards None: a client from before 0.43, which never sends it, and whose service let it move freely."""

    change_id: ChangeId
    allow_backwards: bool | None = None


class HunkResolution(BaseModel):
    hunk_id: str
    content: Base64 | None = None
    take: Literal["target", "source"] | None = None
    encoding: Literal["base64"] = "base64"

    @model_validator(mode="after")
    def _one_choice(self) -> "HunkResolution":
        if (self.content is None) == (self.take is None):
            raise ValueError("needs either content or take")
        return self


class FileResolution(BaseModel):
    """A whole file (``content`` or ``take``) or ``hunks``."""

    path: Path
    content: Base64 | None = None
    take: Literal["target", "source"] | None = None
    encoding: Literal["base64"] = "base64"
    hunks: Annotated[list[HunkResolution], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> "FileResolution":
        if [self.content, self.take, self.hunks].count(None) != 2:
            raise ValueError("needs exactly one of content, take and hunks")
        return self

    def resolution(self) -> Resolution:
        if self.hunks is None:
            return WholeFile(self.path, self.content, self.take)
        choices = {hunk.hunk_id: hunk.take if hunk.content is None else hunk.content for hunk in self.hunks}
        return ByHunk(self.path, {hunk_id: choice for hunk_id, choice in choices.items() if choice is not None})


Resolutions = Annotated[list[FileResolution], Field(max_length=_MOST_FILES)]


class MergeBookmarks(BaseModel):
    target: BookmarkName
    source: BookmarkName
    delete_source: bool = False
    allow_conflicted: bool = False
    message: Message | None = None
    resolutions: Resolutions = []


class Identity(BaseModel):
    name: str
    email: str
    date: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> "Identity":
        self.author()
        self.seconds()
        return self

    def author(self) -> Author:
        return Author(self.name, self.email)

    def seconds(self) -> int | None:
        """The date as Unix seconds; ValueError when it is no RFC 3339 time with a zone."""
        if self.date is None:
            return None
        try:
            date = datetime.fromisoformat(self.date)
            if date.tzinfo is None:
                raise ValueError
            return int(date.timestamp())
        except (ValueError, OverflowError):
            raise ValueError("date must be a time such as 2026-05-06T12:00:00Z") from None


class FileEdit(BaseModel):
    path: Path
    content: Base64 | None = None
    encoding: Literal["base64"] = "base64"
    action: Literal["upsert", "delete"] = "upsert"
    mode: Literal["100644", "100755"] | None = None

    @model_validator(mode="after")
    def _has_content(self) -> "FileEdit":
        if self.action == "upsert" and self.content is None:
            raise ValueError("content is required unless action is 'delete'")
        return self


Files = Annotated[list[FileEdit], Field(max_length=_MOST_FILES)]


class CreateChange(BaseModel):
    base_change_id: ChangeId
    message: Message = ""
    author: Identity | None = None
    committer: Identity | None = None
    files: Files = []


class UpdateChange(BaseModel):
    message: Message | None = None
    author: Identity | None = None
    committer: Identity | None = None
    files: Files | None = None
    base_commit_oid: Annotated[str, StringConstraints(pattern="^[0-9a-f]{40}$")] | None = None
    resolutions: Resolutions | None = None

    @model_validator(mode="after")
    def _not_both(self) -> "UpdateChange":
        if self.files and self.resolutions:
            raise ValueError("files and resolutions are mutually exclusive")
        return self


def path_in_query(text: str | None) -> str:
    """The ``path`` of a content request: ``""`` is the root; slashes at its ends are forgiven."""
    path = (text or "").strip("/")
    try:
        return check_path(path) if path else ""
    except ValueError as error:
        raise invalid("path", str(error)) from None
