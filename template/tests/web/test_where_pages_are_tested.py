"""A project without pages leaves tests of pages out by the names of their files."""


def test_only_files_that_go_with_the_pages_look_at_pages(request):
    def looks(item):
        found = getattr(item, "_fixtureinfo", None)
        defined = [one[-1].func for one in found.name2fixturedefs.values()] if found else []
        return any(one.__module__ == "tests.pages" for one in defined)

    misplaced = {
        item.path.name
        for item in request.session.items
        if looks(item)
        and item.path.parent.name not in {"web", "browser"}
        and not item.path.name.startswith("test_pages")
    }
    assert misplaced == set(), "name them test_pages….py"
