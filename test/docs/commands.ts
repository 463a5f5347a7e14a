// The one list of all commands that the pages have. Each is run by a scene of this folder, or by a test that is named, or is not
// run, for a reason that is named. command-list.test.ts fails for a command that is not here, and for a line here that no page
// has. What is not run is still held to the parsers of the program and of the scripts (command-checks.ts).
import type { Step } from './scene.ts';

const SERVES = /TCP server listening on/;
const STORED = /"type":"ack","status":"stored","seq":1\}/;
const READY = /^ready: data sent now would be kept/m;
const CERTIFICATE = 'openssl req -x509';
const IDENTIFY = '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\n';
const READING = '{"type":"metrics","seq":1,"data":{"temperature":21.5}}\n';
const S_CLIENT = 'openssl s_client -quiet -verify_return_error -CAfile data/tls/ca.pem';

/** Run by the test files of this folder, in this order. */
export const RUN = {
  /** README.md and docs/quick-test-guide.md, without Kafka. */
  'by-hand': [
    { command: 'TCP_LINES_PORT=8090 npm start', in: 'checkout', serves: /listening on .* for plain lines/ },
    {
      command: `printf '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\\n{"type":"metrics","seq":1,"data":{"temperature":21.5}}\\n' | nc -N localhost 8080`,
      shows: STORED,
    },
    {
      command: `printf '{"type":"identify","zipcode":"10001","city":"New York"}\\n{"type":"metrics","seq":1,"data":"temperature=25.5,humidity=60.0"}\\n' | nc -N localhost 8080`,
      shows: STORED,
    },
    {
      command: `printf '{"type":"identify","zipcode":"60601","city":"Chicago"}\\n{"type":"metrics","seq":1,"data":[{"wind":3},{"wind":4},"wind=5"]}\\n' | nc -N localhost 8080`,
      shows: STORED,
    },
    {
      command: `printf '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\\n{"type":"metrics","seq":1,"data":{"temperature":21.5}}\\n' | node -e "const s=require('net').connect({port:8080,host:'localhost',allowHalfOpen:true});process.stdin.pipe(s).pipe(process.stdout)"`,
      shows: STORED,
    },
    {
      command: 'nc localhost 8080',
      input: `${IDENTIFY}${READING}{"type":"metrics","seq":2,"data":"temperature=25.5,humidity=60.0"}\n{"type":"keepalive"}\n{"type":"metrics","seq":2,"data":{"temperature":21.5}}\n`,
      until:
        /"stored","seq":2\}[\s\S]*"status":"error".*"seq":2|"status":"error".*"seq":2[\s\S]*"stored","seq":2\}/,
    },
    { command: `echo '{"host":"box","message":"hello"}' | nc -N localhost 8090` },
    { command: 'curl --http0.9 -d x localhost:8080', shows: /wrong_protocol/ },
    { command: "curl 'localhost:9108/readyz?verbose'", shows: READY },
    { command: "curl -s 'localhost:9108/readyz?verbose'", shows: READY },
    { command: 'curl -s localhost:9108/readyz?verbose', shows: READY },
    { command: 'curl -s localhost:9108/healthz', shows: /^ok/ },
    { command: 'curl -s localhost:9108/health', shows: /"components"/ },
    { command: 'curl -s http://GATEWAY:9108/readyz', instead: { GATEWAY: 'localhost' }, shows: /"ready"/ },
    {
      command: 'curl -s localhost:9108/metrics | grep unaccounted',
      shows: /^sluice_unaccounted_records 0$/m,
    },
    { command: `curl -s localhost:9108/stats | grep -A 9 '"records"'`, shows: /"accepted": ?\d/ },
    { command: "ss -ltnp 'sport = :9108'", shows: /LISTEN/ },
    { command: 'nc -vz BROKER PORT', instead: { 'BROKER PORT': 'localhost 9108' }, shows: /succeeded/ },
    { command: 'npm start -- spool ls', in: 'checkout', shows: /weather\.metrics\.raw/ },
    { command: 'npm start -- spool cat --limit 5', in: 'checkout', shows: /Beverly Hills/ },
    { command: 'npm start -- spool verify', in: 'checkout' },
    { command: 'npm start -- spool cat --dead-letters', in: 'checkout', shows: /invalid_message/ },
    { command: 'node dist/src/main.js spool ls', in: 'checkout', shows: /weather\.metrics\.raw/ },
    { command: 'node -e " …', shows: /^200000 readings stored in \d+ ms$/m },
  ],

  /** docs/operating.md and others, beside a gateway without Kafka and with a busy device, `roof-14`. */
  operator: [
    { command: 'npx sluice', serves: SERVES },
    { command: 'npx sluice --version', shows: /^\d+\.\d+\.\d+$/m },
    { command: 'npx sluice-load --help', shows: /Usage: sluice-load/ },
    { command: 'sluice --print-config', shows: /HTTP_TOKEN.*hidden/ },
    {
      command: 'TCP_PORT=80800 KAFKA_BROKER=kafka:9092 sluice',
      exit: 78,
      shows: /^sluice: 2 problems in the settings[\s\S]*nearest real name is KAFKA_BROKERS/,
    },
    { command: 'sluice health', shows: READY },
    { command: 'sluice health > /dev/null || page-somebody' },
    { command: 'sluice probe', shows: /^alive$/m },
    { command: 'sluice probe --ready', shows: /^ready$/m },
    {
      command: 'sluice stats lines.accepted records.confirmed lines.toKafkaSeconds',
      shows: /^lines\.accepted +\d+\nlines\.toKafkaSeconds.*\nrecords\.confirmed +0$/m,
    },
    { command: 'npx sluice top', shows: /^sluice +READY/ },
    {
      command: 'sluice top --url https://ops.example.net/sluice',
      instead: { 'https://ops.example.net/sluice': 'localhost:9108' },
      shows: /^sluice +READY/,
    },
    { command: 'sluice connections --limit 3 --sort rate', shows: /^roof-14 .* 10370/m },
    { command: "curl -s 'localhost:9108/connections?sort=rate&limit=3'", shows: /"device_id":"roof-14"/ },
    { command: 'sluice tap --zipcode 10370', until: /roof-14 .*(?:stored|spooled) \d+ ms/ },
    { command: 'sluice tap --refused', until: /roof-14 .*refused \(invalid_json/ },
    { command: 'sluice log-level debug' },
    {
      command: `curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" 'localhost:9108/log-level?level=debug'`,
      shows: /debug/,
    },
    {
      command: `curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" 'http://127.0.0.1:9108/log-level?level=debug'`,
      shows: /debug/,
    },
    {
      command: 'HTTP_TOKEN=$(cat /etc/sluice/secrets/http-token) sluice log-level debug',
      instead: { 'cat /etc/sluice/secrets/http-token': 'echo $HTTP_TOKEN' },
    },
    {
      command: 'curl -H "Authorization: Bearer $HTTP_TOKEN" http://10.0.0.7:9108/stats',
      instead: { '10.0.0.7': 'localhost' },
      shows: /"records"/,
    },
    {
      command: 'sluice kick --device roof-14 --delay 30s',
      shows: /1 connection was closed with code kicked/,
    },
    { command: 'sluice connections --closed --limit 1', shows: /kicked +roof-14/ },
    {
      command: `curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" localhost:9108/kick -d '{"device_id":"roof-7","reconnect_after_ms":60000}'`,
      instead: { 'roof-7': 'roof-14' },
      shows: /"kicked": ?1/,
    },
    { command: 'sluice profile --seconds 10', instead: { '10': '1' }, shows: /sluice-cpu-.*\.cpuprofile/ },
    { command: 'sluice token add NAME', shows: /sluice_/, instead: { NAME: 'one --file own-tokens' } },
    {
      command: 'sluice token add NAME --devices DEVICE_ID',
      shows: /sluice_/,
      instead: { NAME: 'two --file own-tokens' },
    },
    {
      command: "sluice token add load --devices '*'",
      shows: /sluice_/,
      instead: { load: 'load --file own-tokens' },
    },
    { command: 'sluice token list', instead: { list: 'list --file own-tokens' }, shows: /^load /m },
    { command: 'sluice token revoke NAME', instead: { NAME: 'two --file own-tokens' } },
    { command: 'printf %s TOKEN | sha256sum', shows: /^[0-9a-f]{64} / },
    { command: "echo 'source <(sluice completion bash)' >> ~/.bashrc" },
    { command: "echo 'source <(sluice completion zsh)' >> ~/.zshrc" },
    { command: 'sluice completion fish > ~/.config/fish/completions/sluice.fish' },
    { command: 'sluice spool ls', shows: /weather\.metrics\.raw/ },
    { command: 'sluice spool ls --dir DIRECTORY', instead: { DIRECTORY: 'data/spool' }, shows: /weather/ },
    { command: 'sluice spool verify' },
    { command: 'sluice spool cat > file' },
    {
      command: 'sluice spool cat --topic TOPIC',
      instead: { TOPIC: 'weather.metrics.raw' },
      shows: /temperature/,
    },
    { command: 'sluice spool cat --dead-letters', shows: /invalid_json/ },
    {
      command: 'kill -HUP PID',
      instead: { PID: `$(ss -ltnpH 'sport = :9108' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')` },
    },
    { command: 'curl -X POST -H "Authorization: Bearer $HTTP_TOKEN" http://127.0.0.1:9108/drain' },
    { command: `jq -c 'select(.level=="error" or .level=="fatal")' sluice.log` },
    { command: `jq -r 'select(.level!="info") | .event' sluice.log | sort | uniq -c`, shows: /\d+ \w+/ },
    {
      command: `jq -r 'select(.event=="statistics") | [.time, .msg] | @tsv' sluice.log`,
      shows: /Statistics: connections=/,
    },
  ],

  /** The end of a gateway, and the files that it leaves. */
  stopped: [
    { command: 'sluice serve', serves: SERVES },
    { command: 'sluice drain --yes --wait', shows: /the gateway has ended after/ },
    { command: 'sluice spool rm' },
  ],

  /** docs/deployment.md: what all ways share, and the npm package. */
  deployment: [
    { command: 'echo KAFKA_BROKERS=localhost:9092 >> .env' },
    {
      command: `${CERTIFICATE} -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem`,
    },
    { command: `printf 'TCP_TLS_PORT=8443\\nTCP_TLS_CERT=cert.pem\\nTCP_TLS_KEY=key.pem\\n' >> .env` },
    { command: '(umask 077; openssl rand -hex 32 > http-token)' },
    { command: 'sluice serve', serves: SERVES },
    { command: 'reading() { …', keeps: true },
    { command: 'reading | nc -N localhost 8080', shows: STORED },
    { command: 'reading 36.5 | nc -N localhost 8080', shows: STORED },
    {
      command:
        '(reading; sleep 1) | openssl s_client -quiet -no_ign_eof -verify_return_error -CAfile cert.pem -connect localhost:8443',
      shows: STORED,
    },
    { command: 'sluice token add roof-7 --file tokens', token: /(sluice_[\w-]+)/ },
    {
      command:
        'TCP_TLS_PORT=8443 TCP_TLS_CERT=/etc/sluice/cert.pem TCP_TLS_KEY=/etc/sluice/key.pem npm start',
      instead: {
        '/etc/sluice/': '../folder/',
        TCP_TLS_PORT: 'TCP_TOKENS_FILE=../folder/tokens TCP_TLS_PORT',
      },
      in: 'checkout',
      serves: SERVES,
    },
    { command: `login=',"device_id":"roof-7","token":"sluice_..."'`, keeps: true },
    { command: 'openssl s_client -connect HOST:PORT', instead: { 'HOST:PORT': 'localhost:8443' } },
    {
      command: 'openssl s_client -connect HOST:PORT -CAfile CA',
      instead: { 'HOST:PORT': 'localhost:8443', 'CAfile CA': 'CAfile cert.pem' },
      shows: /Verify return code: 0 \(ok\)/,
    },
    { command: 'openssl x509 -enddate -noout -in FILE', instead: { FILE: 'cert.pem' }, shows: /^notAfter=/ },
    {
      command: 'openssl x509 -in CERT -noout -subject -issuer -dates',
      instead: { CERT: 'cert.pem' },
      shows: /^issuer=/m,
    },
    {
      command: 'openssl x509 -in FILE -noout -dates -subject',
      instead: { FILE: 'cert.pem' },
      shows: /^subject=/m,
    },
    { command: 'chmod 600 FILE', instead: { FILE: 'key.pem' } },
    { command: 'export HTTP_TOKEN=$(openssl rand -hex 32)', keeps: true },
    {
      command: 'HTTP_HOST=0.0.0.0 HTTP_ALLOWED_HOSTS=sluice,sluice.monitoring.svc npm start',
      in: 'checkout',
      serves: SERVES,
    },
    {
      command:
        'cp deploy/grafana/contact-points.example.yml deploy/grafana/provisioning/alerting/contact-points.yml',
      in: 'checkout',
      instead: { 'deploy/grafana/provisioning/alerting/contact-points.yml': 'contact-points.yml' },
    },
  ],

  /** docs/quick-test-guide.md: TLS, tokens, certificates of devices, HAProxy. */
  tls: [
    { command: 'mkdir -p data/tls', in: 'checkout' },
    {
      command: `${CERTIFICATE} -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=test CA" -keyout data/tls/ca.key -out data/tls/ca.pem`,
      in: 'checkout',
    },
    {
      command: `${CERTIFICATE} -CA data/tls/ca.pem -CAkey data/tls/ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=localhost" -addext "basicConstraints=CA:FALSE" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout data/tls/gateway.key -out data/tls/gateway.pem`,
      in: 'checkout',
    },
    {
      command: 'export TCP_TLS_PORT=8443 TCP_TLS_CERT=data/tls/gateway.pem TCP_TLS_KEY=data/tls/gateway.key',
      keeps: true,
    },
    { command: 'npm start', in: 'checkout', serves: /listening on .* with TLS/ },
    {
      command: `${S_CLIENT} -connect localhost:8443`,
      in: 'checkout',
      input: IDENTIFY + READING,
      until: STORED,
    },
    {
      command: `printf '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\\n{"type":"metrics","data":{"temperature":21.5}}\\n' | nc -N localhost 8443`,
      shows: /tls_required/,
    },
    {
      command: 'npm start -- token add roof-7 --file data/tokens',
      in: 'checkout',
      token: /(sluice_[\w-]+)/,
    },
    { command: 'export TCP_TOKENS_FILE=data/tokens', keeps: true },
    { command: 'sluice serve', in: 'checkout', serves: /listening on .* with TLS/ },
    {
      command: `${S_CLIENT} -connect localhost:8443`,
      in: 'checkout',
      input: IDENTIFY,
      until: /"code":"unauthorized"/,
    },
    {
      command: `${S_CLIENT} -connect localhost:8443`,
      in: 'checkout',
      input: `{"type":"identify","zipcode":"90210","city":"Beverly Hills","device_id":"roof-7","token":"sluice_..."}\n${READING}`,
      until: STORED,
    },
    { command: 'npm start -- token revoke roof-7 --file data/tokens', in: 'checkout' },
    {
      command: `${CERTIFICATE} -CA data/tls/ca.pem -CAkey data/tls/ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=roof-7" -addext "basicConstraints=CA:FALSE" -keyout data/tls/roof-7.key -out data/tls/roof-7.pem`,
      in: 'checkout',
    },
    { command: 'unset TCP_TOKENS_FILE', keeps: true },
    { command: 'export TCP_TLS_CA=data/tls/ca.pem TCP_TLS_DEVICE_ID=CN', keeps: true },
    { command: 'sluice serve', in: 'checkout', serves: /listening on .* with TLS/ },
    {
      command: `${S_CLIENT} -connect localhost:8443`,
      in: 'checkout',
      input: IDENTIFY,
      until: /certificate required/,
    },
    {
      command: `${S_CLIENT} -cert data/tls/roof-7.pem -key data/tls/roof-7.key -connect localhost:8443`,
      in: 'checkout',
      input: IDENTIFY + READING,
      until: STORED,
    },
    { command: 'npm start -- spool cat --limit 5', in: 'checkout', shows: /device_id\\":\\"roof-7/ },
    { command: 'export TCP_PROXY_PROTOCOL=on TCP_PROXY_TRUSTED=127.0.0.1', keeps: true },
    { command: 'sluice serve', in: 'checkout', serves: /listening on .* with TLS/ },
  ],

  /** The end of that: HAProxy with the configuration of the page. */
  haproxy: [
    { command: 'haproxy -f data/haproxy.cfg', in: 'checkout', listens: '9443' },
    {
      command: `${S_CLIENT} -cert data/tls/roof-7.pem -key data/tls/roof-7.key -connect localhost:8443`,
      instead: { '-connect localhost:8443': '-connect localhost:9443' },
      in: 'checkout',
      input: IDENTIFY + READING,
      until: STORED,
    },
  ],

  /** A gateway with the Kafka of the test run. */
  kafka: [
    { command: 'npx sluice check', shows: /The gateway would work\./ },
    { command: 'sluice check', shows: /The gateway would work\./ },
    {
      command: 'KAFKA_BROKERS=localhost:9092,kafka-2:9092 sluice check',
      shows:
        /kafka-2:9092: the name kafka-2 cannot be resolved[\s\S]*The gateway would work\. See to the warnings/,
    },
    {
      command: `sluice check --json | jq -r '.findings[] | select(.level=="error") | .name + ": " + .what'`,
      shows: /^$/,
    },
    { command: 'npm start', in: 'checkout', serves: SERVES },
    {
      command: `printf '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\\n{"type":"metrics","seq":1,"data":{"temperature":21.5}}\\n' | nc -N localhost 8080`,
      shows: STORED,
    },
    { command: 'npm run kafka -- consume', in: 'checkout', until: /^90210 \{"connection_id"/m },
    { command: 'npm run kafka -- consume --last 5', in: 'checkout', shows: /^90210 \{"connection_id"/m },
    { command: 'npm run conformance -- --port 8080', in: 'checkout', exit: 0, shows: /stored\.comes/ },
    {
      command: 'npm run kafka -- consume weather.metrics.dead --last 10',
      in: 'checkout',
      shows: /headers: reason=/,
    },
    { command: 'sluice dead ls', in: 'checkout', shows: /invalid_json/ },
    { command: 'sluice dead ls --last 10000', in: 'checkout', shows: /invalid_json/ },
    { command: 'sluice dead show', in: 'checkout', shows: /invalid_json|invalid_message/ },
    { command: 'sluice dead resend --dry-run', in: 'checkout' },
    { command: 'sluice dead resend --since 2h --limit 100 --yes', in: 'checkout' },
    {
      command: 'npm run load -- -c 3 --rate 300 -d 1s --settle 2s --no-seq',
      in: 'checkout',
      shows: /OK: nothing lost/,
    },
  ],

  /** What an operator looks at on the machine: docs/operations.md. */
  machine: [
    { command: 'date -u' },
    { command: 'df -h' },
    { command: 'df -h DIRECTORY', instead: { DIRECTORY: '.' } },
    { command: 'findmnt -T DIRECTORY', instead: { DIRECTORY: '.' } },
    { command: 'free -h', shows: /^Mem:/m },
    { command: 'ls -ld' },
    { command: 'ps -fp PID', instead: { PID: '$$' }, shows: /^UID +PID/ },
    { command: 'ls /proc/PID/fd | wc -l', instead: { PID: 'self' }, shows: /^\d+$/m },
    { command: 'grep "open files" /proc/PID/limits', instead: { PID: 'self' }, shows: /^Max open files/ },
    { command: 'ulimit -n', shows: /^(?:\d+|unlimited)$/m },
    { command: 'vmstat 1', until: /^procs[\s\S]*\n *\d+/ },
    { command: 'umask 022' },
  ],

  /** A PostgreSQL with the tables of the example consumer. */
  database: [
    { command: "DELETE FROM sluice_readings WHERE received_at < now() - interval '90 days'", isSql: true },
    {
      command: `INSERT INTO alarm_thresholds (zipcode, metric_name, operator, threshold_value, duration_minutes, clear_value)\nVALUES ('90210', 'temperature', '>', 35, 10, 33)`,
      isSql: true,
      shows: /^INSERT 0 1$/m,
    },
    {
      command: `psql "$DATABASE_URL" -c "SELECT zipcode, timestamp, temperature FROM raw_metrics ORDER BY id DESC LIMIT 10"`,
    },
    {
      command: `psql "$DATABASE_URL" -c 'SELECT zipcode, timestamp, temperature FROM raw_metrics ORDER BY id DESC LIMIT 10'`,
    },
    {
      command: `psql "$DATABASE_URL" -c "SELECT device_id, seq, data FROM sluice_readings ORDER BY received_at DESC LIMIT 10"`,
    },
    { command: `psql "$DATABASE_URL" -c "SELECT reason, count(*) FROM sluice_rejected GROUP BY 1"` },
    { command: `psql "$DATABASE_URL" -c "SELECT skipped, count(*) FROM sluice_readings GROUP BY 1"` },
    { command: `psql "$DATABASE_URL" -c "SELECT * FROM alarms_log WHERE status = 'ACTIVE'"` },
    {
      command: `psql "$DATABASE_URL" -c "INSERT INTO alarm_thresholds (zipcode, metric_name, operator, threshold_value, duration_minutes) VALUES ('90210', 'temperature', '>', 35, 0)"`,
      instead: { 90210: '10001' },
      shows: /^INSERT 0 1$/m,
    },
    { command: `psql "$DATABASE_URL" -c 'SELECT zipcode, metric_name, status FROM alarms_log'` },
  ],
} satisfies Readonly<Record<string, readonly Step[]>>;

interface Tested {
  /** From the root. */
  readonly test: string;
  /** A text of this file which shows that it runs the command. By default the command itself, however it is quoted there. */
  readonly proof?: string;
  readonly commands: readonly string[];
}

/** Run by tests of other folders. */
export const TESTED: readonly Tested[] = [
  {
    test: 'test/plan/command.test.ts',
    proof: "const OF_THE_ISSUE = '--devices 1000000 --interval 60s --bytes 200 --rtt 100ms --tls'",
    commands: [
      'npm run plan',
      'npm run plan -- --help',
      'npm run plan -- storm --help',
      'npm run plan -- --devices 1000000 --interval 60s --tls',
    ],
  },
  {
    // It takes the line from the page.
    test: 'test/plan/command.test.ts',
    proof: '/^npm run plan -- (--devices 1000000 .*)$/m.exec(readFileSync(PAGE',
    commands: [
      'npm run plan -- --devices 1000000 --interval 60s --bytes 200 --rtt 100ms --tls --price 0.20 --broker-price 0.40',
    ],
  },
  { test: 'test/examples/devices/clients.ts', proof: "file: 'device.ts'", commands: ['node device.ts'] },
  { test: 'test/examples/devices/clients.ts', proof: "file: 'device.py'", commands: ['python3 device.py'] },
  { test: 'test/examples/devices/clients.ts', proof: "file: 'device.go'", commands: ['go run device.go'] },
  {
    test: 'test/examples/devices/clients.ts',
    proof: "file: 'device.c'",
    commands: ['cc -O2 -o device device.c -lssl -lcrypto && ./device'],
  },
  { test: 'test/examples/devices/clients.ts', proof: "file: 'device.sh'", commands: ['bash device.sh'] },
  {
    test: 'test/examples/devices/clients.ts',
    proof: "file: 'microcontroller.c'",
    commands: ['cc -O2 -o microcontroller microcontroller.c && ./microcontroller'],
  },
  {
    test: 'test/contracts/page.test.ts',
    proof: 'npm run contracts -- data/contracts',
    commands: [
      'npm run contracts',
      'npm run contracts -- data/contracts',
      'TCP_IDENTIFY=device_id npm run contracts -- data/contracts',
    ],
  },
  {
    // It takes the blocks with these commands from the page.
    test: 'test/systemd/service.slow.test.ts',
    proof: "parsePage(read('docs/deployment.md'))",
    commands: [
      'cd /opt/sluice/current/node_modules/sluice/deploy/systemd',
      'install -m 644 sluice.sysusers.conf /usr/lib/sysusers.d/sluice.conf',
      'systemd-sysusers sluice.conf',
      'install -d -m 750 -o root -g sluice /etc/sluice /etc/sluice/tls',
      'install -d -m 700 /etc/sluice/secrets',
      'install -d -m 700 -o sluice -g sluice /var/lib/sluice',
      'install -m 640 -o root -g sluice sluice.env.example /etc/sluice/sluice.env',
      'install -m 644 sluice.service /etc/systemd/system/sluice.service',
      'install -m 640 -o root -g sluice cert.pem key.pem /etc/sluice/tls/',
      "cat >> /etc/sluice/sluice.env <<'SETTINGS' …",
    ],
  },
  {
    test: 'test/systemd/service.slow.test.ts',
    proof: 'test/systemd/boot.sh',
    commands: ['systemctl reload sluice'],
  },
  { test: 'test/cli/remote/commands.slow.test.ts', proof: "'profile'", commands: ['sluice profile'] },
  { test: 'test/cli/remote/commands.slow.test.ts', proof: "sluice('stats'", commands: ['sluice stats'] },
  {
    test: 'test/cli/remote/commands.slow.test.ts',
    proof: "sluice('connections'",
    commands: ['sluice connections'],
  },
  {
    test: 'test/cli/remote/commands.slow.test.ts',
    proof: "sluice('log-level'",
    commands: ['sluice log-level'],
  },
  { test: 'test/cli/remote/commands.slow.test.ts', proof: "'tap'", commands: ['sluice tap'] },
  { test: 'test/cli/spool.slow.test.ts', proof: "'cat'", commands: ['sluice spool cat'] },
  {
    test: 'test/load/command-line.slow.test.ts',
    proof: "['--version']",
    commands: ['sluice --version', 'sluice-load --version'],
  },
  {
    test: 'test/cli/completion.slow.test.ts',
    proof: "['completion', shell.name]",
    commands: ['sluice completion bash'],
  },
  { test: 'test/cli/top.slow.test.ts', proof: 'top', commands: ['sluice top'] },
  {
    test: 'test/package/package.slow.test.ts',
    proof: "['npm', 'pack', '--pack-destination', home]",
    commands: ['npm pack'],
  },
  {
    test: 'test/package/package.slow.test.ts',
    proof: "['npm', 'install', archive]",
    commands: [
      'mkdir ~/gateway && cd ~/gateway',
      'npm install ./sluice-*.tgz',
      'npm install /path/to/sluice-0.1.0.tgz',
      'npm install ~/sluice/sluice-0.1.0.tgz',
    ],
  },
  {
    test: 'test/cli/completion.slow.test.ts',
    proof: 'completion',
    commands: ['sluice complete', 'sluice completion'],
  },
  {
    test: 'test/cli/spool-drain.test.ts',
    proof: "'drain', '--brokers', bootstrap",
    commands: [
      'npm start -- spool drain --brokers localhost:9092',
      'sluice spool drain',
      'sluice spool drain --brokers host:port',
      'sluice spool drain --dir DIRECTORY --brokers HOST:PORT',
      'spool drain',
    ],
  },
  {
    test: 'test/cli/spool.slow.test.ts',
    proof: "'ls, verify and cat read, drain and rm are refused with exit code 78'",
    commands: ['spool ls', 'spool rm', 'spool verify'],
  },
  {
    test: 'test/cli/spool.slow.test.ts',
    proof: "'cat', '--topic'",
    commands: ['sluice spool cat --dir SPOOL_DIR/presence', 'spool cat --topic'],
  },
  {
    test: 'test/cli/dead.test.ts',
    proof: "place.ok('resend', '--yes')",
    commands: ['sluice dead resend', 'sluice dead resend --reason MESSAGE_TOO_LARGE record_too_large'],
  },
  {
    test: 'test/e2e/dead-resend.test.ts',
    proof: "dead('show', '--reason'",
    commands: [
      'sluice dead show --partition 3 --offset 17 --value > line',
      'sluice dead show --reason MESSAGE_TOO_LARGE',
    ],
  },
  {
    test: 'test/cli/token.slow.test.ts',
    proof: 'revoke',
    commands: ['sluice token add', 'sluice token revoke', 'token list', 'token revoke NAME'],
  },
  {
    test: 'test/cli/remote/commands.slow.test.ts',
    proof: "'kick'",
    commands: ['connections --json', 'log-level LEVEL', 'sluice kick', 'tap --json'],
  },
  {
    test: 'test/cli/remote/commands.slow.test.ts',
    proof: "'--wait'",
    commands: ['sluice drain', 'sluice drain --wait', 'sluice drain --yes'],
  },
  {
    test: 'test/check/program.slow.test.ts',
    proof: '--strict',
    commands: ['sluice check --strict'],
  },
  {
    test: 'test/senders/senders.test.ts',
    proof: 'scripts/senders',
    commands: [
      'logger --tag app "a message"',
      'nc -N gateway.example 8090 < /var/log/app.json',
      'tail -n 0 -F /var/log/app.json | while :; do nc -N gateway.example 8090; sleep 1; done',
      'tail -n 0 -F /var/log/app.json | while :; do socat -u STDIN OPENSSL:gateway.example:8090,cafile=/etc/ssl/sluice-ca.pem,forever,interval=1; sleep 1; done',
      'tail -n 0 -F /var/log/app.json | while :; do socat -u STDIN TCP:gateway.example:8090,forever,interval=1; sleep 1; done',
    ],
  },
  {
    test: 'test/senders/formats.test.ts',
    proof: "execFileSync('logger', args",
    commands: ['logger --server gateway.example --port 8090 --tcp'],
  },
  {
    test: 'test/senders/formats.test.ts',
    proof: "'keytool'",
    commands: [
      'keytool -importcert -noprompt -alias sluice -file sluice-ca.pem -keystore sluice.p12 -storetype PKCS12 -storepass changeit',
    ],
  },
  {
    test: 'test/monitoring/rules.test.ts',
    proof: "'check', 'config'",
    commands: ['promtool check config prometheus.yml'],
  },
  {
    test: 'test/systemd/unit.test.ts',
    commands: ['systemd-analyze security', 'systemd-analyze verify'],
  },
  {
    test: 'test/helm/chart.slow.test.ts',
    proof: 'template(helm, options)',
    commands: ['helm template', 'helm template --kube-version 1.30'],
  },
  {
    test: 'test/helm/refusals.slow.test.ts',
    proof: 'additional properties',
    commands: ['helm template sluice deploy/helm/sluice --set-string settings.KAFKA_BROKER=kafka:9092'],
  },
  {
    test: 'test/examples/consumers.test.ts',
    proof: "'dist/examples/consumer.js'",
    commands: ['node consumer.ts 127.0.0.1:9092 weather.metrics.raw printer-2'],
  },
  {
    test: 'test/scripts/consume.slow.test.ts',
    proof: "'--from', 'now'",
    commands: ['npm run kafka -- consume weather.metrics.dead --from now'],
  },
  {
    test: 'test/conformance/command-line.test.ts',
    proof: 'conformance/main.js',
    commands: ['npm run conformance'],
  },
  {
    test: 'test/contracts/openapi.test.ts',
    proof: 'npx validate-api docs/contracts/openapi.json',
    commands: ['npx validate-api docs/contracts/openapi.json'],
  },
];

interface NotRun {
  readonly why: string;
  /** A test of something similar. */
  readonly test?: string;
  readonly commands: readonly string[];
}

export const NOT_RUN: readonly NotRun[] = [
  {
    why: 'npx would bring a package from the registry. Run by hand on 2026-11-29; the types compiled',
    commands: [
      'npx --yes openapi-typescript@7 docs/contracts/openapi.json -o admin-port.d.ts',
      'npx --yes json-schema-to-typescript@15 docs/contracts/reading-record.schema.json reading-record.d.ts',
      'npx --yes quicktype@23 --src-lang schema --lang go --package sluice --out messages.go docs/contracts/device-message.schema.json',
    ],
  },
  {
    why: 'Measures for many minutes on a quiet machine. The test works out constants from made-up measurements',
    test: 'test/plan/calibrate.test.ts',
    commands: ['npm run plan -- calibrate'],
  },
  {
    why: 'Measures for eight minutes on a quiet machine. The test judges made-up measurements',
    test: 'test/plan/validate/compare.test.ts',
    commands: ['npm run plan -- validate'],
  },
  {
    why: 'Plays a million devices for each of its rules. The test plays small fleets by the same code',
    test: 'test/plan/storm/simulate.test.ts',
    commands: ['npm run plan -- storm', 'npm run plan -- storm --report'],
  },
  {
    why: 'The name of a command, whose arguments are given elsewhere or by its --help: this alone does nothing',
    commands: [
      'apt-get install',
      'chown -R 10001:10001',
      'diff -U3 --label a/FILE --label b/FILE',
      'docker build',
      'docker compose',
      'docker compose config',
      'docker compose down',
      'docker compose down -v',
      'docker compose up',
      'docker compose up -d',
      'docker exec CONTAINER sluice ...',
      'docker inspect',
      'docker kill',
      'docker ps',
      'docker run',
      'docker run --init',
      'docker run IMAGE check|spool ls|load|probe',
      'docker stop',
      'export TCP_PORT=',
      'go build',
      'go install',
      'helm rollback',
      'helm upgrade',
      'kill -9',
      'kill -HUP',
      'kill -STOP',
      'kill -USR1',
      'kubectl debug',
      'kubectl describe pod',
      'kubectl exec',
      'node --cpu-prof',
      'npm run',
      'npm run load --',
      'npm test -- WORD',
      'psql "$DATABASE_URL"',
      'reading 20',
      'sluice dead',
      'sluice spool',
      'sluice token',
      'systemctl edit',
    ],
  },
  {
    why: 'Plays for minutes to hours. The test runs the same program with short options',
    test: 'test/bench/bench-command.test.ts',
    commands: [
      'npm run bench',
      'npm run bench -- --compare docs/benchmarks.json --runs 3',
      'npm run bench -- --runs 5 --seconds 3 --report',
      'npm run bench -- --scenario batch',
      'npm run bench -- --scenario batch --runs 5',
      'npm run bench -- --scenario confirmed',
      'npm run bench -- --scenario connections',
      'npm run bench -- --scenario drain',
      'npm run bench -- --scenario drain-slow',
      'npm run bench -- --scenario far-device',
      'npm run bench -- --scenario far-kafka',
      'npm run bench -- --scenario figures',
      'npm run bench -- --scenario figures --seconds 3 --runs 5',
      'npm run bench -- --scenario kafkajs',
      'npm run bench -- --scenario latency',
      'npm run bench -- --scenario memory',
      'npm run bench -- --scenario one-at-a-time',
      'npm run bench -- --scenario plain-lines',
      'npm run bench -- --scenario processes',
      'npm run bench -- --scenario single',
      'npm run bench -- --scenario spool',
      'npm run bench -- --scenario steady',
      'npm run bench -- --scenario steady --profile',
      'npm run bench -- --scenario storm',
      'npm run bench -- --scenario tls',
    ],
  },
  {
    why: 'Takes 10 minutes and a quiet machine. The test runs the same program with short options',
    test: 'test/bench/attack-command.bench.test.ts',
    commands: [
      'npm run attack',
      'npm run attack -- --only NAME',
      'npm run attack -- --only flood-past-cap',
      'npm run attack -- --only noisy-large',
      'npm run attack -- --report',
      'npm run attack -- --tls',
    ],
  },
  {
    why: 'Takes half an hour and a quiet machine. The test runs the same program with short options',
    test: 'test/bench/scaling-command.bench.test.ts',
    commands: [
      'npm run scaling',
      'npm run scaling -- --report',
      'npm run scaling -- --report --runs 5 --seconds 2',
    ],
  },
  {
    why: 'Takes minutes and a quiet machine. The test runs the same program with short options',
    test: 'test/bench/sustained-command.bench.test.ts',
    commands: [
      'npm run sustained',
      'npm run sustained -- --minutes 10',
      'npm run sustained -- --minutes 10 --rate 5000',
      'npm run sustained -- --minutes 2 --warm-up 20s --rate 5000 --report',
    ],
  },
  {
    why: 'Plays for minutes. The test plays rounds of the same faults',
    test: 'test/chaos/chaos.test.ts',
    commands: [
      'npm run chaos',
      'npm run chaos -- --minutes 30',
      'npm run chaos -- --minutes 30 --seed 1313',
      'npm run chaos -- --minutes 5 --seed 1',
    ],
  },
  {
    why: 'Plays for as long as one says. The test plays histories by the same code for some seconds',
    test: 'test/simulation/histories.slow.test.ts',
    commands: [
      'npm run simulate',
      'npm run simulate -- --faults kill,disk-full',
      'npm run simulate -- --minutes 10',
      'npm run simulate -- --minutes 30',
      'npm run simulate -- --seed 7 --steps 40',
      'npm run simulate -- --seed 7 --trace',
    ],
  },
  {
    why: 'Takes an hour. The test applies each mutant and compiles it',
    test: 'test/simulation/mutants.test.ts',
    commands: ['npm run simulate -- --mutants', 'npm run simulate -- --mutants NAME'],
  },
  {
    why: 'Plays for minutes. The test plays fewer lines by the same code',
    test: 'test/fuzz/fuzz.test.ts',
    commands: ['npm run fuzz', 'npm run fuzz -- --lines 1000000'],
  },
  {
    why: 'Takes minutes. The test plays the same senders with fewer messages',
    test: 'test/senders/senders.test.ts',
    commands: [
      'npm run senders',
      'npm run senders -- --messages 6000 --rate 200 --write',
      'npm run senders -- --write',
    ],
  },
  {
    why: 'A load of 10 s and more, which other tests beside it would disturb. The test runs the same program with less load',
    test: 'test/load/load.test.ts',
    commands: [
      'node dist/load/main.js',
      'npm run load',
      'npm run load -- --rate 10000 --warm-up 3s',
      'npm run load -- --rate 20000',
      'npm run load -- --rate 8000 --step 50% --max-p99 100 --duration 5s --warm-up 2s',
      'npm run load -- --rate max --per-write 50 --no-live',
      'npm run load -- --target 127.0.0.1:8081 --topic load.test --rate 10000',
      'npm run load -- -c 9000 --processes 2 --rate 3000 --ramp 10s --churn 1% --bad 1%',
      'sluice load',
      'sluice load --tls',
    ],
  },
  {
    why: 'Needs a gateway at an address of the reader. The scene `kafka` runs the same with its own port',
    test: 'test/conformance/command-line.test.ts',
    commands: [
      'npm run conformance -- --host 192.0.2.7 --port 8080',
      'npm run conformance -- --host HOST --port PORT',
    ],
  },
  {
    why: 'Opens port 9092, which may be in use. The test starts brokers by the same code at free ports',
    test: 'test/scripts/kafka-helper.test.ts',
    commands: ['npm run kafka', 'npm run kafka -- --brokers 3', 'pgrep -f kafka.Kafka'],
  },
  {
    why: 'A run of other tests, or of all: a test that ran it would run itself',
    test: 'test/scripts/runner.test.ts',
    commands: [
      'CONSUMER_ROUNDS=10 npm test -- examples/consumer/kills',
      'RESUME_CUTS=1000 npm test -- e2e/resume',
      'ROLLING_DEVICES=10000 npm run test:bench -- rolling',
      'node --test dist/test/lines/cost.bench.test.js',
      'npm run test:bench',
      'npm run test:bench -- decode-cost',
      'npm run test:bench -- examples/consumer',
      'npm run test:bench -- failover',
      'npm run test:long',
      'npm run test:long -- hardships',
      'npm run test:nodes',
      'npm run test:nodes -- 22 --suite unit',
      'npm run test:unit',
      'npm run test:watch',
      'npm test',
      'npm test -- test/docs',
      'npm test -- framer contracts/',
      'npm test -- examples/devices',
      'npm test -- conformance',
      'npm test -- examples/consumer',
      'npm test -- framer',
      'npm test -- logins',
      'npm test -- migrating',
      'npm test -- senders',
    ],
  },
  {
    why: 'Takes minutes, and stops a broker of its own. The test plays four of its plays by the same code',
    test: 'test/upgrade/upgrade.test.ts',
    commands: ['npm run upgrade-test'],
  },
  {
    why: 'A release: it changes the checkout, publishes, or asks for a package that is not published yet',
    test: 'test/scripts/release.test.ts',
    commands: [
      'git fetch --unshallow',
      'git push origin v0.2.0',
      'git tag -a v0.2.0 -m "Sluice 0.2.0"',
      'npm audit --omit=dev',
      'npm deprecate sluice@0.2.0 "use 0.2.1: REASON"',
      'npm install sluice@0.2.0',
      'npm outdated',
      'npm version --no-git-tag-version 0.2.0',
      'npm view sluice@0.2.0 dist',
    ],
  },
  {
    why: '`npm test` itself begins with it',
    commands: ['npm run build', 'npm run check', 'npx tsc -p .'],
  },
  {
    why: 'Writes files of the checkout. `npm run check` holds the same files to the code',
    commands: ['npm run docs', 'npm run format'],
  },
  {
    why: 'Takes minutes, and other brokers, a browser or tools that it downloads. Started by hand, results are in the pages',
    commands: [
      'npm run compatibility',
      'npm run deploy-check',
      'npm run latency-test',
      'npm run recording',
      'npm run screenshots',
    ],
  },
  {
    why: 'Takes minutes and root. `npm test` plays its short steps',
    test: 'test/image/image.slow.test.ts',
    commands: ['npm run image-test'],
  },
  {
    why: 'A measurement without a verdict',
    commands: ['node dist/bench/hot-path.js'],
  },
  {
    why: 'Installs packages of the checkout or from the registry under the feet of other tests. CI begins with `npm ci`',
    test: 'test/scripts/package-lock.test.ts',
    commands: [
      'npm audit fix',
      'npm ci',
      'npm ci --omit=dev',
      'npm ci --omit=optional',
      'npm install --omit=dev sluice@0.1.0',
      'npm install aws-msk-iam-sasl-signer-js',
      'npm install aws-msk-iam-sasl-signer-js@1.0.3',
      'npm install sluice@0.1.0',
      'npm install ~/sluice/sluice-0.2.0.tgz',
      'npm link',
      'npm publish',
      'npx tsx consumer.ts',
      'pip install python-snappy',
      'rm -rf node_modules && npm install --package-lock-only && npm ci',
    ],
  },
  {
    why: 'Needs the repository at its public place, which is not chosen yet (OWNER)',
    commands: [
      'docker pull ghcr.io/OWNER/sluice:0.1.0',
      'git clone https://github.com/OWNER/sluice && cd sluice',
    ],
  },
  {
    why: 'There is no Docker on the machines of the tests. The test plays every step of the Dockerfile and runs the result without Docker',
    test: 'test/image/image.slow.test.ts',
    commands: [
      'docker build -t sluice --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ) .',
      'docker build -t sluice .',
      'docker build -t sluice-consumer .',
      'docker build -t sluice:0.1.0 .',
      'docker create --name files sluice && docker cp files:/app/deploy . && docker rm files',
      'docker exec CONTAINER sluice check',
      'docker exec CONTAINER sluice health',
      'docker exec CONTAINER sluice load --processes 2',
      'docker exec CONTAINER sluice top',
      'docker exec sluice sluice check',
      'docker exec sluice sluice probe --ready',
      'docker exec sluice sluice spool ls',
      'docker run --read-only --cap-drop ALL -e DATABASE_URL=postgresql://... -e KAFKA_BROKERS=kafka:9092 sluice-consumer',
      'docker run --rm -e KAFKA_BROKERS=... sluice check',
      'docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" sluice token add roof-7 --file /work/tokens',
      'docker run --rm sluice load --target gateway:8080 --no-read-back',
      'docker run -d --name sluice --restart unless-stopped --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 1g --cpus 2 --ulimit nofile=20000:20000 --stop-timeout 30 -v sluice-data:/var/lib/sluice -p 8080:8080 -p 127.0.0.1:9108:9108 -e KAFKA_BROKERS=kafka.example.net:9092 sluice',
      'docker stop sluice && docker rm sluice',
      'install -d -o 10001 -g 10001 -m 500 /etc/sluice',
      'install -d -o 10001 -g 10001 -m 700 FOLDER',
      'install -o 10001 -g 10001 -m 400 cert.pem key.pem tokens http-token /etc/sluice',
    ],
  },
  {
    why: 'There is no Docker on the machines of the tests. The test judges files, variables and services of Compose; `npm run deploy-check` asks the real `docker compose config`',
    test: 'test/compose/files.test.ts',
    commands: [
      '(umask 077; openssl rand -hex 32 > deploy/files/http-token)',
      'KAFKA_ADVERTISED_HOST=10.0.0.5 KAFKA_LISTENER_ADDRESS=10.0.0.5 docker compose -f docker-compose.kafka.yml up -d',
      'KAFKA_BROKERS=10.0.0.5:9094 docker compose -f docker-compose.gateway.yml --env-file .env.wan up -d --build',
      "cat >> .env.local <<'SETTINGS' …",
      'cp cert.pem key.pem deploy/files/',
      'curl -s localhost:8404/healthz',
      'curl -s localhost:9090/-/ready',
      'docker compose --env-file .env.local --profile load run --rm load',
      'docker compose --env-file .env.local build',
      'docker compose --env-file .env.local ps',
      'docker compose --env-file .env.local start sluice-2',
      'docker compose --env-file .env.local stop sluice-2',
      'docker compose --env-file .env.local up --build',
      'docker compose --env-file .env.local up --build -d',
      'docker compose --env-file .env.local up -d',
      'docker compose --env-file .env.local up -d --no-deps sluice-1',
      'docker compose --env-file .env.local up -d --no-deps sluice-2',
      'docker compose --env-file .env.wan config',
      'docker compose exec kafka /opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server kafka:19092 --topic weather.metrics.raw --from-beginning --max-messages 1',
      'docker compose exec postgres psql -U sluice',
      "docker compose exec postgres psql -U sluice -c 'SELECT zipcode, timestamp, temperature FROM raw_metrics'",
      'docker compose exec sluice-1 sluice health',
      'docker compose exec sluice-1 sluice health --token-file /etc/sluice/http-token',
      'docker compose kill -s HUP haproxy',
      'docker compose logs --tail 50 haproxy',
      'docker compose logs --tail 50 sluice-1',
      'docker compose ps prometheus',
      'docker compose restart prometheus grafana',
      'docker compose stop sluice-1',
      'docker compose up -d haproxy',
      'echo HTTP_TOKEN_FILE=/etc/sluice/http-token >> .env.local',
      'sudo chown 10001 deploy/files/http-token',
      'sudo chown 10001 deploy/files/key.pem',
      'sudo chown 10001 deploy/files/key.pem && sudo chmod 400 deploy/files/key.pem',
    ],
  },
  {
    why: 'There is no Kubernetes on the machines of the tests. The test renders the chart with the real Helm and judges each object by the schemas of Kubernetes',
    test: 'test/helm/chart.slow.test.ts',
    commands: [
      'helm -n devices install sluice deploy/helm/sluice --set-string settings.KAFKA_BROKERS=kafka:9092',
      'helm -n devices rollback sluice',
      'helm -n devices uninstall sluice',
      'helm -n devices upgrade sluice deploy/helm/sluice -f my-values.yaml',
      'helm -n devices upgrade sluice deploy/helm/sluice -f my-values.yaml --set replicaCount=0,autoscaling.enabled=false',
      'helm -n devices upgrade sluice deploy/helm/sluice -f my-values.yaml --set replicaCount=4',
      'helm install sluice deploy/helm/sluice --set-string settings.KAFKA_BROKERS=kafka:9092',
      'helm show values deploy/helm/sluice',
      'kind create cluster',
      'kind load docker-image sluice:0.1.0',
      'kubectl -n devices apply -f deploy/helm/kafka-for-trials.yaml',
      'kubectl -n devices create secret generic device-tokens --from-file=tokens',
      'kubectl -n devices create secret generic sluice-http --from-file=token=http-token',
      'kubectl -n devices create secret tls sluice-tls --cert=cert.pem --key=key.pem',
      'kubectl -n devices delete statefulset sluice --cascade=orphan',
      'kubectl -n devices exec deployment/kafka -- /opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server kafka:9092 --topic weather.metrics.raw --from-beginning --max-messages 1',
      'kubectl -n devices exec sluice-0 -c sluice -- sluice check',
      'kubectl -n devices get jobs -l app.kubernetes.io/component=spool-drain',
      'kubectl -n devices get pvc',
      'kubectl -n devices get service sluice',
      'kubectl -n devices logs -l app.kubernetes.io/component=spool-drain --tail=-1',
      'kubectl -n devices patch pvc spool-sluice-0 ...',
      'kubectl -n devices port-forward service/sluice 8080:8080',
      'kubectl -n devices port-forward service/sluice 8443:8443',
      'kubectl -n devices rollout status statefulset/sluice',
      'kubectl -n devices scale deployment/kafka --replicas=0',
      'kubectl create namespace devices',
      'kubectl exec POD -- sluice health',
      'kubectl logs --previous POD',
      'minikube image load sluice:0.1.0',
    ],
  },
  {
    why: 'Changes the system, as root. The test boots a real systemd with the same unit, user and folders',
    test: 'test/systemd/service.slow.test.ts',
    commands: [
      '(umask 077; openssl rand -hex 32 > /etc/sluice/secrets/http-token)',
      'echo TCP_TOKENS_FILE=/etc/sluice/tokens >> /etc/sluice/sluice.env',
      'install -m 640 -o root -g sluice tokens /etc/sluice/tokens',
      'install -m 644 /opt/sluice/current/node_modules/sluice/deploy/systemd/sluice.service /etc/systemd/system/sluice.service',
      'journalctl -k | grep -i "out of memory"',
      'journalctl -u sluice -n 20 -o cat',
      'journalctl -u sluice -n 50',
      'journalctl -u sluice -o cat',
      'ln -sf /opt/sluice/current/node_modules/.bin/sluice /usr/local/bin/sluice',
      'ln -sfn 0.1.0 /opt/sluice/current',
      'ln -sfn 0.2.0 /opt/sluice/current',
      'mkdir -p /opt/sluice/0.1.0 && cd /opt/sluice/0.1.0',
      'mkdir -p /opt/sluice/0.2.0 && cd /opt/sluice/0.2.0',
      'npm init -y >/dev/null',
      'npm install --omit=dev ~/sluice/sluice-0.1.0.tgz',
      'npm install --omit=dev ~/sluice/sluice-0.2.0.tgz',
      'sluice-check',
      `sluice-check() { runuser -u sluice -- sh -c 'set -a; . /etc/sluice/sluice.env; SPOOL_DIR=/var/lib/sluice/spool; cd /; exec sluice "$@"' sh check "$@"; }`,
      'systemctl daemon-reload',
      'systemctl edit sluice',
      'systemctl enable --now sluice',
      'systemctl reload prometheus',
      'systemctl restart sluice',
      'systemctl status sluice',
    ],
  },
  {
    why: 'Installs packages of the system, or changes its users',
    commands: [
      'apt-get install postgresql',
      'apt-get install rsyslog-openssl',
      'apt-get install python3-jsonschema',
      `runuser -u postgres -- psql -c "CREATE ROLE weather LOGIN PASSWORD 'PASSWORD'" -c 'CREATE DATABASE weather OWNER weather'`,
      'timedatectl set-ntp true',
    ],
  },
  {
    why: 'Needs rights on the machine, hardware or a program that the machines of the tests lack',
    commands: [
      'aws sts get-caller-identity',
      'cat /sys/fs/cgroup/memory.max',
      'chronyc tracking',
      'dmesg -T',
      'dmesg -T | grep -i kill',
      "kcat -b 127.0.0.1:9092 -C -t weather.metrics.dead -o beginning -e -f '%h  %s\\n'",
      'smartctl -a DEVICE',
    ],
  },
  {
    why: 'A tool of Kafka, for a broker that has its scripts. The tests call the same classes of Kafka',
    test: 'test/scripts/kafka-helper.test.ts',
    commands: [
      './kafka-dump-log.sh --print-data-log --files',
      'kafka-acls.sh --list --topic TOPIC',
      'kafka-configs.sh --alter --add-config producer_byte_rate=BYTES --entity-type clients --entity-name CLIENT_ID',
      'kafka-configs.sh --describe --entity-type clients',
      'kafka-configs.sh --describe --entity-type topics --entity-name TOPIC --all',
      'kafka-console-consumer.sh --bootstrap-server 127.0.0.1:9092 --topic weather.metrics.dead --from-beginning --property print.headers=true',
      "kafka-topics.sh --bootstrap-server localhost:9092 --delete --topic 'load\\.test.*'",
      'kafka-topics.sh --describe --topic TOPIC',
      'kafka-topics.sh --describe --unavailable-partitions',
    ],
  },
  {
    why: 'The paths are those of the reader; the test runs the same consumer, built and started in the same way',
    test: 'test/examples/consumer/kills.test.ts',
    commands: [
      'DATABASE_URL=postgresql://weather:secret@127.0.0.1:5432/weather KAFKA_BROKERS=127.0.0.1:9092 npm start',
      'KAFKA_BROKERS=127.0.0.1:9092 npm start',
      'cd examples/consumer && npm ci && npm run build',
      'export DATABASE_URL=postgresql://weather:PASSWORD@127.0.0.1:5432/weather',
    ],
  },
  {
    why: 'The start of a second gateway for a load with a topic of its own, and the removal of its folder: the scene `by-hand` starts one with other settings',
    commands: [
      'KAFKA_TOPIC_METRICS=load.test KAFKA_TOPIC_DEAD_LETTERS=load.test.dead TCP_PORT=8081 HTTP_PORT=9109 SPOOL_DIR=./data/spool-load npm start',
      'rm -r data/spool-load',
    ],
  },
  {
    why: 'The same as `npm start` without the build, which the scene `by-hand` runs',
    commands: ['node dist/src/main.js', 'npm start -- token add roof-7 --file tokens'],
  },
  {
    why: 'Needs dead letters of a record that Kafka refused for its time',
    test: 'test/cli/dead.test.ts',
    commands: ['KAFKA_TIMESTAMP=sent sluice dead resend'],
  },
];
