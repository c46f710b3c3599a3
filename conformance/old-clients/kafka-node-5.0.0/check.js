// kafka-node 5.0.0 against one broker: producer with each codec, simple consumer, lists of offsets, a group.
const kafka = require('kafka-node');
const crypto = require('crypto');

const kafkaHost = process.argv[2];
const RUN = crypto.randomBytes(4).toString('hex');
const COUNT = 60;
const CODECS = { none: 0, gzip: 1, snappy: 2 };
let passed = 0;
let failed = 0;
const begun = Date.now();

const topicOf = (name) => `check-${RUN}-kafka-node-${name}`;
const record = (index) => ({ key: index % 7 ? `key-${index % 11}` : null, value: `value-${index}-${'x'.repeat(index % 50)}` });

function within(what, ms, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
    start((answer) => { clearTimeout(timer); resolve(answer); }, (error) => { clearTimeout(timer); reject(error); });
  });
}

async function check(what, action) {
  const start = Date.now();
  try {
    await action();
    passed += 1;
    console.log(`ok   ${what} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${what}: ${error && error.message ? error.message : error}`);
  }
}

function same(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what || ''} got ${a.slice(0, 300)}, wanted ${b.slice(0, 300)}`);
}

const connected = () => within('a connection', 10000, (resolve, reject) => {
  const client = new kafka.KafkaClient({ kafkaHost, connectRetryOptions: { retries: 0 } });
  client.once('ready', () => resolve(client));
  client.once('error', reject);
});

async function send(name, codec) {
  const client = await connected();
  await within('the topic', 10000, (resolve, reject) =>
    client.createTopics([{ topic: topicOf(name), partitions: 1, replicationFactor: 1 }], (error, result) =>
      error ? reject(error) : result.length ? reject(new Error(JSON.stringify(result))) : resolve()));
  await within('metadata', 10000, (resolve, reject) => client.refreshMetadata([topicOf(name)], (error) => (error ? reject(error) : resolve())));
  const producer = new kafka.Producer(client, { requireAcks: 1 });
  const messages = [...Array(COUNT).keys()].map((index) => {
    const { key, value } = record(index);
    return new kafka.KeyedMessage(key, value);
  });
  const payloads = [{ topic: topicOf(name), partition: 0, messages, attributes: CODECS[codec] }];
  const told = await within('an acknowledgement', 10000, (resolve, reject) =>
    producer.send(payloads, (error, data) => (error ? reject(error) : resolve(data))));
  same(told, { [topicOf(name)]: { 0: 0 } });
  await new Promise((resolve) => producer.close(resolve));
}

async function read(name) {
  const client = await connected();
  const consumer = new kafka.Consumer(client, [{ topic: topicOf(name), partition: 0, offset: 0 }],
    { autoCommit: false, fromOffset: true, fetchMaxWaitMs: 100 });
  const messages = await within('records', 15000, (resolve, reject) => {
    const seen = [];
    consumer.on('error', reject);
    consumer.on('message', (message) => { seen.push(message); if (seen.length === COUNT) resolve(seen); });
  });
  await new Promise((resolve) => consumer.close(false, resolve));
  return messages;
}

async function bothWays(codec) {
  await send(codec, codec);
  const got = (await read(codec)).map(({ offset, key, value }) => [offset, key || null, value]);
  same(got, [...Array(COUNT).keys()].map((index) => [index, record(index).key, record(index).value]));
}

async function ends() {
  const client = await connected();
  const offset = new kafka.Offset(client);
  const ask = (time) => within('offsets', 10000, (resolve, reject) =>
    offset.fetch([{ topic: topicOf('none'), partition: 0, time, maxNum: 1 }], (error, data) => (error ? reject(error) : resolve(data[topicOf('none')][0]))));
  same(await ask(-1), [COUNT], 'the end');
  same(await ask(-2), [0], 'the beginning');
  client.close();
}

async function group() {
  const consumer = new kafka.ConsumerGroup({ kafkaHost, groupId: topicOf('group'), fromOffset: 'earliest', autoCommit: true }, [topicOf('none')]);
  const seen = await within('records of a group', 20000, (resolve, reject) => {
    let count = 0;
    consumer.on('error', reject);
    consumer.on('message', () => { count += 1; if (count === COUNT) resolve(count); });
  });
  same(seen, COUNT);
  await new Promise((resolve) => consumer.close(true, resolve));
}

(async () => {
  for (const codec of Object.keys(CODECS)) await check(`create, produce and consume ${codec}`, () => bothWays(codec));
  await check('beginning and end', ends);
  await check('a group', group);
  console.log(`# kafka-node 5.0.0: ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
})();
