// kafkajs (pure JavaScript) against one broker. Its consumer has groups only, so records are read back by the
// client's own fetch request, below the consumer; what needs no group and no transaction is checked.
'use strict'
const assert = require('assert').strict
const crypto = require('crypto')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel, ConfigResourceTypes } = require('kafkajs')
const Cluster = require('kafkajs/src/cluster')
const createSocketFactory = require('kafkajs/src/network/socketFactory')
const { createLogger } = require('kafkajs/src/loggers')
const consoleLogger = require('kafkajs/src/loggers/console')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const [bootstrap] = process.argv.slice(2)
const run = crypto.randomBytes(4).toString('hex')
const topic = name => `check-${run}-${name}`
const count = 300
const baseTime = Date.now() - 3600000
const begin = Date.now()
let passed = 0
let failed = 0

const zstd = new Promise(resolve => ZstdCodec.run(library => resolve(new library.Simple())))
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer))
})

const kafka = new Kafka({ clientId: 'check', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 3 } })
const admin = kafka.admin()
const cluster = new Cluster({
  brokers: [bootstrap],
  clientId: 'check-fetch',
  logger: createLogger({ level: logLevel.NOTHING, logCreator: consoleLogger }),
  socketFactory: createSocketFactory(),
  connectionTimeout: 5000,
  authenticationTimeout: 5000,
  requestTimeout: 30000,
  metadataMaxAge: 300000,
  retry: { retries: 3 },
  offsets: new Map()
})

async function check (what, action) {
  const start = Date.now()
  let timer
  try {
    const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error('not within 30 s')), 30000) })
    await Promise.race([action(), late])
    passed++
    console.log(`ok   ${what} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    failed++
    const parts = (error.partitions || []).map(each => `; partition ${each.partition}: ${each.error.message}`).join('')
    console.log(`FAIL ${what}: ${error.type || error.name}: ${error.message}${parts}`)
    return false
  } finally {
    clearTimeout(timer)
  }
}

async function refused (type, action) {
  try {
    await action()
  } catch (error) {
    assert.ok([error.type, error.cause && error.cause.type].concat((error.errors || []).map(each => each.type)).includes(type),
      `got ${error.type || error.name} (${error.message}), wanted ${type}`)
    return
  }
  assert.fail(`accepted, wanted ${type}`)
}

async function until (what, question) {
  const end = Date.now() + 15000
  while (Date.now() < end) {
    if (await question()) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  assert.fail(`not within 15 s: ${what}`)
}

// Record `index` of every run: some keys and values are null. kafkajs writes a repeated header as an array.
function record (index) {
  return {
    partition: 0,
    key: index % 7 === 0 ? null : `key-${index % 11}`,
    value: index % 7 === 3 ? null : `value-${index}-` + 'x'.repeat(index % 50),
    headers: { index: String(index), empty: '' },
    timestamp: String(baseTime + index)
  }
}

async function create (name, options = {}) {
  await admin.createTopics({ topics: [{ topic: topic(name), numPartitions: 1, replicationFactor: 1, ...options }], waitForLeaders: true })
}

async function send (name, options = {}, producerOptions = {}) {
  const producer = kafka.producer(producerOptions)
  await producer.connect()
  try {
    const messages = [...Array(count).keys()].map(record)
    const answers = []
    for (let at = 0; at < count; at += 100) {
      answers.push(await producer.send({ topic: topic(name), messages: messages.slice(at, at + 100), ...options }))
    }
    return answers
  } finally {
    await producer.disconnect()
  }
}

async function fetch (name, offset, maxBytes = 1048576) {
  await cluster.connect()
  await cluster.addTargetTopic(topic(name))
  await cluster.refreshMetadata()
  const leader = Object.keys(cluster.findLeaderForPartitions(topic(name), [0]))[0]
  const broker = await cluster.findBroker({ nodeId: leader })
  const answer = await broker.fetch({ maxWaitTime: 500, minBytes: 1, maxBytes: 10485760, isolationLevel: 0,
    topics: [{ topic: topic(name), partitions: [{ partition: 0, fetchOffset: String(offset), maxBytes }] }], rackId: '' })
  return answer.responses[0].partitions[0].messages.filter(message => Number(message.offset) >= offset)
}

async function verify (name, first = 0) {
  for (let index = first; index < count;) {
    const messages = await fetch(name, index)
    assert.ok(messages.length > 0, `nothing at offset ${index}`)
    for (const message of messages) {
      const wanted = record(index)
      const text = buffer => buffer === null ? null : buffer.toString()
      assert.equal(message.offset, String(index))
      assert.deepEqual([text(message.key), text(message.value), message.timestamp], [wanted.key, wanted.value, wanted.timestamp])
      assert.deepEqual(Object.fromEntries(Object.entries(message.headers).map(([key, value]) => [key, text(value)])), wanted.headers)
      index++
    }
  }
}

async function partitionsOf (name) {
  return (await admin.fetchTopicMetadata({ topics: [topic(name)] })).topics[0].partitions
}

async function retention (name) {
  const answer = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic(name), configNames: ['retention.ms'] }] })
  return answer.resources[0].configEntries[0].configValue
}

async function main () {
  if (!await check('admin connect', () => admin.connect())) return
  await check('describe cluster', async () => assert.equal((await admin.describeCluster()).brokers.length, 1))
  for (const [name, compression] of Object.entries({ none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD })) {
    await check(`create, produce and consume ${name}`, async () => {
      await create(name)
      const answers = await send(name, { compression })
      assert.deepEqual(answers.map(answer => answer[0].baseOffset), ['0', '100', '200'])
      await verify(name)
    })
  }
  await check('an existing topic is not created again', async () =>
    assert.equal(await admin.createTopics({ topics: [{ topic: topic('none'), numPartitions: 1 }] }), false))
  for (const acks of [0, 1, -1]) {
    await check(`acks=${acks}`, async () => {
      await create(`acks${acks}`)
      await send(`acks${acks}`, { acks })
      await verify(`acks${acks}`)
    })
  }
  await check('idempotent producer', async () => {
    await create('idempotent')
    await send('idempotent', {}, { idempotent: true, maxInFlightRequests: 1 })
    await verify('idempotent')
  })
  await check('offsets of a topic', async () =>
    assert.deepEqual((await admin.fetchTopicOffsets(topic('none'))), [{ partition: 0, offset: '300', high: '300', low: '0' }]))
  await check('offsets by time', async () => {
    assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(topic('zstd'), baseTime + 123), [{ partition: 0, offset: '123' }])
    assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(topic('zstd'), baseTime + 3000000), [{ partition: 0, offset: '300' }])
  })
  await check('offset out of range', () => refused('OFFSET_OUT_OF_RANGE', () => fetch('none', 10000)))
  await check('unknown topic', () => refused('UNKNOWN_TOPIC_OR_PARTITION', () => admin.fetchTopicMetadata({ topics: [topic('nowhere')] })))
  await check('record too large', async () => {
    const producer = kafka.producer({ retry: { retries: 0 } })
    await producer.connect()
    try {
      await refused('MESSAGE_TOO_LARGE', () => producer.send({ topic: topic('none'), messages: [{ value: Buffer.alloc(2000000, 'x') }] }))
    } finally {
      await producer.disconnect()
    }
  })
  await check('topic configs', async () => {
    await create('configured', { configEntries: [{ name: 'retention.ms', value: '7200000' }] })
    assert.equal(await retention('configured'), '7200000')
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic('configured'), configEntries: [{ name: 'retention.ms', value: '3600000' }] }] })
    await until('the altered value', async () => await retention('configured') === '3600000')
  })
  await check('delete records', async () => {
    await create('trimmed')
    await send('trimmed')
    // The admin client looks leaders up only in what it has cached; asking for offsets fills the cache.
    assert.equal((await admin.fetchTopicOffsets(topic('trimmed')))[0].low, '0')
    await admin.deleteTopicRecords({ topic: topic('trimmed'), partitions: [{ partition: 0, offset: '100' }] })
    assert.equal((await admin.fetchTopicOffsets(topic('trimmed')))[0].low, '100')
    await verify('trimmed', 100)
    await refused('OFFSET_OUT_OF_RANGE', () => fetch('trimmed', 0))
  })
  await check('create partitions', async () => {
    await create('grown')
    await admin.createPartitions({ topicPartitions: [{ topic: topic('grown'), count: 3 }] })
    await until('three partitions', async () => (await partitionsOf('grown')).length === 3)
  })
  await check('delete topic', async () => {
    await admin.deleteTopics({ topics: [topic('gzip')] })
    await until('the topic gone', async () => !(await admin.listTopics()).includes(topic('gzip')))
  })
}

main().finally(async () => {
  await Promise.allSettled([admin.disconnect(), cluster.disconnect()])
  console.log(`# kafkajs ${require('kafkajs/package.json').version}: ${Math.round((Date.now() - begin) / 1000)} s`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 && passed > 0 ? 0 : 1)
})
