//! Converting playbooks of a real size: `cargo bench -p har --bench convert`.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use har::data_plane::{Options, find, transform};

/// A playbook of this many tasks: packages, templates with handlers, conditions, commands.
fn playbook(tasks: usize) -> String {
    let mut text = "- hosts: web\n  vars: {root: /srv}\n  handlers:\n    - name: again\n      service: name=web state=restarted\n  tasks:\n".to_owned();
    for task in 0..tasks {
        let part = match task % 4 {
            0 => format!(
                "    - name: Install {task}\n      apt:\n        name: package-{task}\n        state: present\n      when: ansible_os_family == 'Debian'\n"
            ),
            1 => format!(
                "    - name: Render {task}\n      template:\n        src: t{task}.j2\n        dest: \"{{{{ root }}}}/{task}.conf\"\n        mode: '0644'\n      notify: again\n"
            ),
            2 => format!(
                "    - name: Start {task}\n      service: name=s{task} state=started enabled=yes\n"
            ),
            _ => format!(
                "    - name: Run {task}\n      command: /bin/do {task}\n      args:\n        creates: /srv/{task}\n"
            ),
        };
        text.write_str(&part).expect("writing to a string cannot fail");
    }
    text
}

fn convert(criterion: &mut Criterion) {
    let (ansible, salt) = (find("ansible").expect("a format"), find("salt").expect("a format"));
    let options = Options::default();
    let mut group = criterion.benchmark_group("ansible_to_salt");
    for tasks in [100, 1_000, 10_000] {
        let source = playbook(tasks);
        group.throughput(Throughput::Elements(u64::try_from(tasks).expect("a small number")));
        group.sample_size(10);
        group.bench_function(format!("parse_{tasks}"), |bencher| {
            bencher.iter(|| ansible.parse(black_box(&source), &options));
        });
        group.bench_function(format!("convert_{tasks}"), |bencher| {
            bencher.iter(|| {
                let parsed = ansible.parse(black_box(&source), &options).expect("valid");
                transform(&parsed.graph, parsed.report, salt, &options)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, convert);
criterion_main!(benches);
