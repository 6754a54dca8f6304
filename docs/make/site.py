"""Build the documentation's site: `python -m docs.make.site` writes out/docs/site.

Pages link to other files of the repository (tests, examples, benchmarks). So the pages and every
file that they link to are first copied, in the same places, to one folder; zensical then builds
that, and a link to nothing ends the build.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    """Every page of the site, as a path in the repository."""
    inside = sorted(page.relative_to(ROOT) for page in (ROOT / "docs").rglob("*.md"))
    return [*map(Path, OUTSIDE), *inside]


def linked_files(page: Path) -> Iterator[Path]:
    """Files of the repository that a page links to or shows, as paths in the repository."""
    for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        file = (ROOT / page.parent / target).resolve()
        if file.is_file():
            yield file.relative_to(ROOT)


def copy_pages(folder: Path) -> None:
    """Copy every page, and what it links to, to the same place under a folder."""
    for page in pages():
        for file in (page, *linked_files(page)):
            (folder / file.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / file)


def build(folder: Path) -> Path:
    """Build the site strictly in an empty or new folder; return the folder of the site.

    Raises subprocess.CalledProcessError, with the list of what is wrong in its `stdout`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    copy_pages(folder / "pages")
    shutil.copytree(ROOT / "docs" / "make" / "theme", folder / "theme")
    shutil.copyfile(ROOT / "zensical.toml", folder / "zensical.toml")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return folder / "site"


def main() -> None:
    """Build the site in out/docs, or say what is wrong and fail."""
    try:
        site = build(ROOT / "out" / "docs")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed.stdout}{failed.stderr}")
    sys.stdout.write(f"{site}/index.html\n")


if __name__ == "__main__":
    main()
