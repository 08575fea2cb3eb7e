"""Copier with what it does again and again done once. test_options.py compares with the plain one.

It renders each part of each path, compiles each template anew for each project, reads all questions
up to five times for an update, clones as often, asks git once per file, and makes thirty paths of
each file that it only copies.
"""

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import copier._main
import copier._template
import pytest
from copier._main import Worker
from copier._tools import scantree
from copier._vcs import clone, get_git
from jinja2.environment import Environment

# What is rendered by these reaches further than into what it returns.
UNSHARED = "yield"


@contextmanager
def fast(clones: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "_sync_git_index_executable_bit", lambda *_, **__: None)
        patch.setattr(Environment, "from_string", _cached(Environment.from_string))
        patch.setattr(Environment, "compile", _compiled(Environment.compile))
        patch.setattr(Worker, "_render_string", _only_templates(Worker._render_string))
        named = cache(Path)
        file = property(lambda self: named(self.answers_file or self.template.answers_relpath))
        patch.setattr(Worker, "answers_relpath", file)
        patch.setattr(Worker, "_render_template", _copied(Worker._render_template))
        config = _read(copier._template.load_template_config)
        patch.setattr(copier._template, "load_template_config", config)
        patch.setattr(copier._template, "clone", _cloned(clone, clones))
        yield


def _copied(original: Callable[..., None]) -> Callable[..., None]:
    """Into an empty folder files that are no templates go as they are; Copier gets all others."""

    def render_template(self: Any) -> None:
        where = self.dst_path.resolve()
        if not self.quiet or self.pretend or (where.exists() and any(where.iterdir())):
            return original(self)
        top = f"{self.template_copy_root}{os.sep}"
        modes = {
            str(self.template.local_abspath / path): mode & 0o111
            for path, mode in self.template.git_index_modes.items()
        }
        suffix, answers = self.template.templates_suffix, self.answers_relpath.name

        def is_done(entry: os.DirEntry[str]) -> bool:
            path = entry.path.removeprefix(top)
            target = f"{where}{os.sep}{path}"
            plain = "{" not in path and not path.endswith((suffix, answers))
            if not plain or entry.is_symlink() or os.path.lexists(target):
                return False
            if os.path.exists(entry.path + suffix) or self.match_exclude(path):  # noqa: PTH110 fast
                return True
            if entry.is_dir():
                os.makedirs(target)  # noqa: PTH103
                return True
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            shutil.copyfile(entry.path, target)
            mode = entry.stat().st_mode
            if entry.path in modes:
                mode = mode & ~0o111 | modes[entry.path]
            os.chmod(target, mode)  # noqa: PTH101
            return True

        def others(path: str, follow: bool) -> Iterator[os.DirEntry[str]]:
            return (entry for entry in scantree(path, follow) if not is_done(entry))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copier._main, "scantree", others)
            return original(self)

    return render_template


def _only_templates(original: Callable[..., str]) -> Callable[..., str]:
    def render_string(self: Any, string: str, extra_context: Any = None) -> str:
        return original(self, string, extra_context) if "{" in string else string

    return render_string


def _cached(original: Callable[..., Any]) -> Callable[..., Any]:
    """Within one environment a string is one template."""

    def from_string(
        self: Any,
        source: Any,
        globals: Any = None,  # noqa: A002 Jinja's name for it
        template_class: Any = None,
    ) -> Any:
        if not isinstance(source, str) or UNSHARED in source:
            return original(self, source, globals, template_class)
        cache = self.__dict__.setdefault("_compiled_strings", {})
        if source not in cache:
            cache[source] = original(self, source, globals, template_class)
        return cache[source]

    return from_string


def _compiled(original: Callable[..., Any]) -> Callable[..., Any]:
    """Whatever the environment: the code is the same where the signs of the template are."""
    codes: dict[Any, Any] = {}

    def compile_source(
        self: Any, source: Any, name: Any = None, filename: Any = None, *more: Any, **named: Any
    ) -> Any:
        if not isinstance(source, str) or UNSHARED in source or more or named:
            return original(self, source, name, filename, *more, **named)
        signs = (self.block_start_string, self.variable_start_string, self.comment_start_string)
        key = (source, name, filename, *signs, self.trim_blocks, self.keep_trailing_newline)
        if key not in codes:
            codes[key] = original(self, source, name, filename)
        return codes[key]

    return compile_source


def _read(original: Callable[..., Any]) -> Callable[..., Any]:
    """All questions, by what stands in their files."""
    known: dict[Any, Any] = {}

    def load_template_config(path: Path, *more: Any, **named: Any) -> Any:
        folder = path.parent
        files = [path, *(one for part in ("questions", "org") for one in folder.glob(f"{part}/*"))]
        key = tuple(sorted((one.name, one.read_bytes()) for one in files if one.is_file()))
        if key not in known:
            known[key] = original(path, *more, **named)
        return copy.deepcopy(known[key])

    return load_template_config


def _cloned(original: Callable[..., str], clones: Path) -> Callable[..., str]:
    """A commit of a repository once; nobody writes into what was cloned to render from."""

    def clone_once(url: str, ref: str = "HEAD", location: str | None = None) -> str:
        if ref == "HEAD" or not Path(url).is_dir():
            return original(url, ref, location)
        commit = get_git(Path(url))("rev-parse", f"{ref}^{{commit}}").strip()
        # The tags count, too: what is recorded is the name that git gives the commit.
        tags = get_git(Path(url))("tag", "--points-at", commit).split()
        place = clones / "-".join([Path(url).as_posix().replace("/", "_"), commit, *tags])
        if not place.exists():
            original(url, ref, str(place))
        if location is not None:
            shutil.rmtree(location)
        return str(place)

    return clone_once
