//! A small folder of cases of every kind, and the program run on it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What the program left.
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn skc(args: &[&str]) -> Output {
    output(Command::new(env!("CARGO_BIN_EXE_skc")).args(args))
}

/// A folder of cases: good/one, good/two, bad/one, machine/one, known/deviates, known/passes.
pub(crate) struct Suite {
    folder: TempDir,
    reports: TempDir,
}

impl Suite {
    pub(crate) fn new() -> Suite {
        let suite = Suite { folder: tempfile::tempdir().unwrap(), reports: tempfile::tempdir().unwrap() };
        let requirements = ["first", "second", "third"].iter().enumerate().map(|(at, word)| {
            format!(
                "A-0{}: {{tier: core, level: must, says: The {word} behaviour., from: [page(7)]}}\n",
                at + 1
            )
        });
        suite.write("requirements.yaml", &requirements.collect::<String>());
        let deviation = |case: &str| {
            format!(
                "- {{case: {case}, on: {{kernel: any}}, step: 1, observed: '0', because: it always was so}}\n"
            )
        };
        suite.write("deviations.yaml", &(deviation("known/deviates") + &deviation("known/passes")));
        suite.case("good/one", "A-01", "", "a: getuid() = 0");
        suite.case("good/two", "A-01", "", "a: getuid() = 0");
        suite.case("bad/one", "A-02", "", "a: getuid() = 1");
        suite.case("machine/one", "A-02", "needs: [vm]\n", "a: getuid() = 0");
        suite.case("known/deviates", "A-02", "norm: documentation\n", "a: getuid() = 1");
        suite.case("known/passes", "A-02", "norm: documentation\n", "a: getuid() = 0");
        suite
    }

    /// Adds a case that takes four seconds.
    pub(crate) fn add_slow(&self) {
        self.case("slow/one", "A-01", "", "a: nanosleep(2000) = ok\n  - a: nanosleep(2000) = ok");
    }

    /// Adds a case.
    pub(crate) fn case(&self, id: &str, covers: &str, more: &str, step: &str) {
        let text = format!(
            "title: Case {id}\ncovers: [{covers}]\n{more}actors:\n  a: {{uid: 0}}\nsteps:\n  - {step}\n"
        );
        self.write(&format!("{id}.yaml"), &text);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A place outside for reports.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.reports.path().join(name).to_str().unwrap().to_owned()
    }

    /// `skc run` on these cases.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
        command.arg("run").args(args).arg("--cases").arg(self.path());
        command
    }

    /// Another command of `skc` on these cases.
    pub(crate) fn skc(&self, args: &[&str]) -> Output {
        skc(&[args, &["--cases", self.path().to_str().unwrap()]].concat())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        output(&mut self.command(args))
    }
}
