//! Files of members: whole or not at all, or without the bad lines.

use super::house::house;

#[test]
fn a_file_goes_in_whole_or_without_its_bad_lines() {
    let world = house("");
    world.done(&["list", "add", "team", "--domain", "example.org", "--owner", "olga"]);
    let file = world.path().join("members.txt");
    let path = file.display().to_string();
    std::fs::write(
        &file,
        "# the team\nalice\n\nbob@example.org\nno body@x\nann@elsewhere.example\nANN@elsewhere.example\nnobody-here\nreject:x\n",
    )
    .unwrap();
    let refused = world.restante(&["list", "members", "team", "import", &path]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for line in ["line 5: ", "line 8: ", "line 9: "] {
        assert!(refused.stderr.contains(line), "{line} is not in {refused:?}");
    }
    assert_eq!(world.done(&["list", "members", "team", "export"]), "");
    let skipped = world.restante(&["list", "members", "team", "import", &path, "--skip-bad"]);
    assert_eq!((skipped.code, skipped.stdout.as_str()), (0, "3 joined, 1 in the list already, 3 bad lines\n"), "{skipped:?}");
    assert_eq!(world.done(&["list", "members", "team", "export"]), "alice\nann@elsewhere.example\nbob@example.org\n");
    // The same again: everybody is there.
    std::fs::write(&file, "alice\nbob@example.org\ncarol\n").unwrap();
    assert_eq!(world.done(&["list", "members", "team", "import", &path]), "1 joined, 2 in the list already, 0 bad lines\n");
    assert_eq!(world.done(&["list", "members", "team", "list", "--search", "ELSEWHERE"]).lines().count(), 2);
    world.done(&["list", "members", "team", "suspend", "carol"]);
    assert!(world.done(&["list", "members", "team", "list", "--suspended"]).contains("carol"));
    world.done(&["list", "members", "team", "remove", "carol", "alice"]);
    assert_eq!(world.restante(&["list", "members", "team", "remove", "carol"]).code, 3);
    assert_eq!(world.restante(&["list", "members", "nolist", "import", &path]).code, 3);
}
