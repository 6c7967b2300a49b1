//! Traces of Java, Reactor and .NET, and the two lines of java.util.logging.

use super::super::{Language, heads};

#[test]
fn java() {
    let text = "\
2026-11-24 09:58:45 ERROR c.e.Orders - order failed
java.lang.IllegalStateException: cannot place
\tat com.example.Orders.place(Orders.java:42) ~[app.jar:1.0]
\tat java.base/java.lang.Thread.run(Thread.java:1583)
\tSuppressed: java.io.IOException: close
\t\tat com.example.Orders.close(Orders.java:50)
Caused by: java.sql.SQLException: gone
\tat com.example.Db.query(Db.java:7)
\t... 12 common frames omitted

2026-11-24 09:58:46 INFO c.e.Orders - next
Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"
\tat Main.main(Main.java:3)
Error: no such file
see com.example.Exception for more";
    assert_eq!(
        heads(Language::Java, text),
        [
            "2026-11-24 09:58:45 ERROR c.e.Orders - order failed",
            "2026-11-24 09:58:46 INFO c.e.Orders - next",
            "Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"",
            "Error: no such file",
            "see com.example.Exception for more",
        ]
    );
}

#[test]
fn traces_in_a_row() {
    let trace = "java.lang.RuntimeException: boom\n\tat a.B.c(B.java:5)\n\t... 3 more\n";
    let head = "java.lang.RuntimeException: boom";
    assert_eq!(heads(Language::Java, &trace.repeat(3)), [head; 3]);
    // Without frames, as a virtual machine prints those that are thrown often
    let text = "WARN a\njava.lang.NullPointerException\nWARN b\njava.lang.NullPointerException\nINFO c";
    assert_eq!(heads(Language::Java, text), ["WARN a", "WARN b", "INFO c"]);
}

#[test]
fn messages_of_several_lines() {
    let text = "\
2022-01-12T16:21:01,947Z ERROR [http-nio-8080-exec-4] c.v.RestController: cannot parse
java.sql.SQLException: Failed to parse query; SQL statement:
failing10 [42001-197]

and so on
\tat org.apache.ignite.Thin.sendRequest(Thin.java:1009)
Caused by: org.example.Failed: first
second
\tat org.apache.ignite.Thin.sendRequest(Thin.java:1009)
java.lang.IllegalStateException: alone
started
stopped";
    assert_eq!(
        heads(Language::Java, text),
        [
            "2022-01-12T16:21:01,947Z ERROR [http-nio-8080-exec-4] c.v.RestController: cannot parse",
            "java.lang.IllegalStateException: alone",
            "started",
            "stopped",
        ]
    );
}

#[test]
fn names_without_exception_in_them() {
    let text = "\
ERROR one
java.lang.Throwable
\tat a.B.c(B.java:5)
ERROR two
com.example.Orders$Failed: closed
at a.B.c(B.java:5)
com.example.Orders$Failed: again
\tat a.B.c(B.java:5)
INFO three
com.example.Orders: started
Error: no such file";
    assert_eq!(
        heads(Language::Java, text),
        [
            "ERROR one",
            "ERROR two",
            "com.example.Orders$Failed: again",
            "INFO three",
            "com.example.Orders: started",
            "Error: no such file",
        ]
    );
}

#[test]
fn reactor() {
    let text = "\
2024-10-08 14:49:32.672 ERROR 18105 --- [ctor-http-nio-2] c.e.Advice : failed

java.lang.RuntimeException: error
\tat com.example.TestController.get(TestController.java:29)
\tSuppressed: reactor.core.publisher.FluxOnAssembly$OnAssemblyException: 
Assembly trace from producer [reactor.core.publisher.MonoError] :
\treactor.core.publisher.Mono.error(Mono.java:299)
Error has been observed at the following site(s):
\t*__checkpoint \u{21e2} HTTP GET \"/status\" [ExceptionHandlingWebHandler]
Original Stack Trace:
\t\tat com.example.TestController.get(TestController.java:29)
\t\tat reactor.core.publisher.Mono.subscribe(Mono.java:4400)
Suppressed: reactor.core.publisher.FluxOnAssembly$OnAssemblyException: 
Error has been observed by the following operator(s):
|_\tMono.error(Mono.java:299)
Stack trace:
\tat com.example.TestController.get(TestController.java:29)
Stack trace:";
    let found = heads(Language::Java, text);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn dot_net() {
    let trace = "\
System.InvalidOperationException: outer
 ---> System.Collections.Generic.KeyNotFoundException: inner
   at Example.Orders.Find(Int32 id) in /src/Orders.cs:line 9
   --- End of inner exception stack trace ---
   at Example.Orders.Place() in /src/Orders.cs:line 12
--- End of stack trace from previous location ---
   at Example.Program.Main() in /src/Program.cs:line 3
";
    assert_eq!(heads(Language::Java, &trace.repeat(2)), ["System.InvalidOperationException: outer"; 2]);
}

#[test]
fn a_logger_that_is_named_like_an_exception() {
    let text = "\
Jul 09, 2026 3:23:29 PM com.example.Feeder: RuntimeException: one
  at com.example.Feeder.run(Feeder.java:50)
com.example.Feeder: RuntimeException: two
  at com.example.Feeder.run(Feeder.java:50)
javax.servlet.ServletException: three
    at com.example.Filter.doFilter(Filter.java:60)";
    let begin: Vec<&str> = heads(Language::Java, text).iter().map(|head| &head[..7]).collect();
    assert_eq!(begin, ["Jul 09,", "com.exa", "javax.s"]);
}

#[test]
fn two_lines_of_java_util_logging() {
    let text = "\
Nov 24, 2026 9:58:45 AM com.example.Main main
INFO: started
Nov 24, 2026 9:58:46\u{202f}AM com.example.Main main
SEVERE: failed
java.io.IOException: closed
\tat com.example.Main.main(Main.java:7)

nov. 24, 2026 9:58:47 AM com.example.Main main
INFOS: fin
WARNING: alone
Nov 24, 2026 was a day";
    assert_eq!(
        heads(Language::Java, text),
        [
            "Nov 24, 2026 9:58:45 AM com.example.Main main",
            "Nov 24, 2026 9:58:46\u{202f}AM com.example.Main main",
            "nov. 24, 2026 9:58:47 AM com.example.Main main",
            "WARNING: alone",
            "Nov 24, 2026 was a day",
        ]
    );
}
