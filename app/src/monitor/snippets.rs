//! How to connect, in the languages that people use: programs that write a record and read one, filled with the addresses of this cluster.
//!
//! `tests/interop/run snippets` takes them from `GET /api/snippets` and runs them as they are.

use serde::Serialize;

/// What stands in the sources for the addresses.
const SERVERS: &str = "BOOTSTRAP_SERVERS";

/// A program that connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The language, or the tool.
    pub name: &'static str,
    /// What the program is called as a file.
    pub file: &'static str,
    /// What it needs, as a command where there is one.
    pub needs: &'static str,
    /// How it is started.
    pub run: &'static str,
    /// The program.
    pub code: String,
}

struct Source {
    name: &'static str,
    file: &'static str,
    needs: &'static str,
    run: &'static str,
    code: &'static str,
}

const SOURCES: [Source; 7] = [
    Source {
        name: "kcat",
        file: "hello.sh",
        needs: "apt-get install kcat",
        run: "sh hello.sh",
        code: include_str!("snippets/kcat.sh"),
    },
    Source {
        name: "Java",
        file: "Hello.java",
        needs: "kafka-clients and slf4j-simple, in the folder jars",
        run: "java -cp 'jars/*' Hello.java",
        code: include_str!("snippets/Hello.java"),
    },
    Source {
        name: "Python",
        file: "hello.py",
        needs: "pip install confluent-kafka",
        run: "python3 hello.py",
        code: include_str!("snippets/hello.py"),
    },
    Source {
        name: "Node",
        file: "hello.cjs",
        needs: "npm install kafkajs",
        run: "node hello.cjs",
        code: include_str!("snippets/hello.cjs"),
    },
    Source {
        name: "Go",
        file: "hello.go",
        needs: "go mod init hello && go get github.com/twmb/franz-go",
        run: "go run hello.go",
        code: include_str!("snippets/hello.go.txt"),
    },
    Source {
        name: "Rust",
        file: "main.rs",
        needs: "cargo add rdkafka",
        run: "cargo run",
        code: include_str!("snippets/hello.rs.txt"),
    },
    Source {
        name: "Spring",
        file: "src/main/java/hello/Hello.java",
        needs: "Spring Boot with spring-boot-starter-kafka (Boot 3: spring-kafka)",
        run: "mvn spring-boot:run",
        code: include_str!("snippets/Hello.spring.txt"),
    },
];

/// Names of all, in their order.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.name)
}

/// All, for these bootstrap servers.
pub fn snippets(servers: &str) -> Vec<Snippet> {
    let filled = |source: &Source| {
        let Source { name, file, needs, run, code } = *source;
        Snippet { name, file, needs, run, code: code.replace(SERVERS, servers) }
    };
    SOURCES.iter().map(filled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_the_addresses_in_it() {
        let all = snippets("127.0.0.1:9092,127.0.0.1:9093");
        assert_eq!(all.len(), names().count());
        for snippet in all {
            assert!(snippet.code.contains("127.0.0.1:9092,127.0.0.1:9093"), "{}", snippet.name);
            assert!(!snippet.code.contains(SERVERS) && snippet.code.contains("greetings"), "{}", snippet.name);
            // They are shown without a horizontal scroll bar.
            assert!(snippet.code.lines().all(|line| line.len() <= 124), "{}", snippet.name);
        }
    }
}
