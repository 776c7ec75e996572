// Loaded before zigbee2mqtt (node --require): it replaces the radio adapter of
// zigbee-herdsman by a simulated one with one sleepy device, a contact sensor on a
// battery. Everything above the radio is zigbee2mqtt's own.
//
// The device wakes every SIM_WAKE_MS milliseconds, reports its battery and asks
// for an image. It takes at most SIM_BLOCKS blocks per wake. An image it has taken
// is written to SIM_OUT, byte for byte as it came, and it then runs that version.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// zigbee-herdsman as zigbee2mqtt finds it: this file may lie somewhere else.
const root = path.dirname(require.resolve("zigbee-herdsman/package.json", {paths: [path.dirname(process.argv[1])]}));
const dist = (name) => require(path.join(root, "dist", name));
const {Adapter} = dist("adapter/adapter.js");
const {Waitress} = dist("utils/waitress.js");
const Zcl = dist("zspec/zcl/index.js");
const Zdo = dist("zspec/zdo/index.js");

const coordinator = "0x00db123456789000";
const wakeMs = Number(process.env.SIM_WAKE_MS ?? 1000);
const blocksPerWake = Number(process.env.SIM_BLOCKS ?? 100);
const output = process.env.SIM_OUT;

const genBasic = 0x0000, genPowerCfg = 0x0001, genOta = 0x0019;
const manufacturer = 0x109a, imageType = 0x0001;

// Sensor is the sleepy device.
class Sensor {
    constructor(radio) {
        this.radio = radio;
        this.ieeeAddr = "0x00124b0000000001";
        this.networkAddress = 0x1234;
        this.endpoint = 1;
        this.version = 1;
        this.tsn = 0;
        this.image = undefined; // what is being taken: {version, size, data, at}
        this.left = 0; // blocks left in this wake
    }

    descriptors(cluster) {
        const answer = {
            [Zdo.ClusterId.NODE_DESCRIPTOR_REQUEST]: {
                nwkAddress: this.networkAddress, logicalType: 0b010, manufacturerCode: manufacturer,
                capabilities: {alternatePANCoordinator: 0, deviceType: 0, powerSource: 0, rxOnWhenIdle: 0, reserved1: 0, reserved2: 0, securityCapability: 0, allocateAddress: 1},
                apsFlags: 0, frequencyBand: 8, maxBufSize: 82, maxIncTxSize: 82, maxOutTxSize: 82, deprecated1: 0, tlvs: [],
                serverMask: {stackComplianceRevision: 22}, fragmentationSupported: undefined,
            },
            [Zdo.ClusterId.ACTIVE_ENDPOINTS_REQUEST]: {nwkAddress: this.networkAddress, endpointList: [1]},
            [Zdo.ClusterId.SIMPLE_DESCRIPTOR_REQUEST]: {
                nwkAddress: this.networkAddress, length: 0, endpoint: 1, profileId: 0x0104, deviceId: 0x0402, deviceVersion: 0,
                inClusterList: [genBasic, genPowerCfg], outClusterList: [genOta],
            },
        }[cluster];
        return [Zdo.Status.SUCCESS, answer];
    }

    attributes() {
        return {
            zclVersion: 3, appVersion: 1, stackVersion: 2, hwVersion: 1, manufacturerName: "commshub", modelId: "SIM-1",
            dateCode: "20261121", powerSource: 3, swBuildId: "sim", batteryPercentageRemaining: 180,
        };
    }

    send(cluster, frame) { this.radio.receive(this, cluster, frame.toBuffer()); }

    command(cluster, command, payload) {
        this.tsn = (this.tsn + 1) & 0xff;
        this.send(cluster, Zcl.Frame.create(Zcl.FrameType.SPECIFIC, Zcl.Direction.CLIENT_TO_SERVER, true, undefined, this.tsn, command, cluster, payload, {}));
    }

    global(direction, tsn, command, cluster, payload) {
        this.send(cluster, Zcl.Frame.create(Zcl.FrameType.GLOBAL, direction, true, undefined, tsn, command, cluster, payload, {}));
    }

    wake() {
        this.left = blocksPerWake;
        this.tsn = (this.tsn + 1) & 0xff;
        this.global(Zcl.Direction.SERVER_TO_CLIENT, this.tsn, "report", genPowerCfg, [
            {attrId: 0x21, dataType: Zcl.DataType.UINT8, attrData: 180}]);
        if (this.image) this.ask(); else this.query();
    }

    query() {
        this.command(genOta, "queryNextImageRequest", {fieldControl: 0, manufacturerCode: manufacturer, imageType, fileVersion: this.version});
    }

    ask() {
        const im = this.image;
        if (im.at >= im.size) {
            this.command(genOta, "upgradeEndRequest", {status: 0, manufacturerCode: manufacturer, imageType, fileVersion: im.version});
            return;
        }
        if (this.left-- <= 0) return; // sleeps
        this.command(genOta, "imageBlockRequest", {
            fieldControl: 0, manufacturerCode: manufacturer, imageType, fileVersion: im.version, fileOffset: im.at, maximumDataSize: 63});
    }

    // hear takes a frame from the coordinator.
    hear(frame) {
        const {name} = frame.command, {payload} = frame, tsn = frame.header.transactionSequenceNumber;
        if (name === "read") {
            const known = this.attributes(), cluster = frame.cluster;
            this.global(Zcl.Direction.SERVER_TO_CLIENT, tsn, "readRsp", cluster.ID, payload.map(({attrId}) => {
                const attribute = Object.values(cluster.attributes).find((a) => a.ID === attrId);
                if (!attribute || known[attribute.name] === undefined) return {attrId, status: Zcl.Status.UNSUPPORTED_ATTRIBUTE};
                return {attrId, status: 0, dataType: attribute.type, attrData: known[attribute.name]};
            }));
        } else if (name === "configReport") {
            this.global(Zcl.Direction.SERVER_TO_CLIENT, tsn, "configReportRsp", frame.cluster.ID, [{status: 0}]);
        } else if (name === "imageNotify") {
            this.query();
        } else if (name === "queryNextImageResponse" && payload.status === 0) {
            this.image = {version: payload.fileVersion, size: payload.imageSize, data: [], at: 0};
            this.ask();
        } else if (name === "imageBlockResponse" && this.image) {
            this.block(payload);
        } else if (name === "upgradeEndResponse" && this.image) {
            this.restart();
        }
    }

    block(payload) {
        if (payload.status !== 0) { // ABORT
            this.image = undefined;
            return;
        }
        if (payload.fileOffset !== this.image.at) return;
        this.image.data.push(Buffer.from(payload.data));
        this.image.at += payload.dataSize;
        this.ask();
    }

    restart() {
        fs.writeFileSync(output, Buffer.concat(this.image.data));
        this.version = this.image.version;
        this.image = undefined;
        this.radio.announce(this);
    }
}

class SimulatedRadio extends Adapter {
    constructor(...args) {
        super(...args);
        this.hasZdoMessageOverhead = false;
        this.manufacturerID = 0x1049;
        this.waitress = new Waitress(Adapter.zclWaitressValidator, Adapter.clusterWaitressTimeoutFormatter);
        this.sensor = new Sensor(this);
    }

    async start() {
        setTimeout(() => {
            this.emit("deviceJoined", {networkAddress: this.sensor.networkAddress, ieeeAddr: this.sensor.ieeeAddr});
            this.timer = setInterval(() => this.sensor.wake(), wakeMs);
        }, 3000);
        return "resumed";
    }

    async stop() { clearInterval(this.timer); }
    async getCoordinatorIEEE() { return coordinator; }
    async getCoordinatorVersion() { return {type: "simulated", meta: {}}; }
    async reset() {}
    async supportsBackup() { return false; }
    async backup() { throw new Error("no backup"); }
    async getNetworkParameters() {
        return {panID: this.networkOptions.panID, extendedPanID: "0x0000000000000000", channel: this.networkOptions.channelList[0], nwkUpdateID: 0};
    }
    async addInstallCode() {}
    async permitJoin() {}
    async setChannelInterPAN() {}
    async restoreChannelInterPAN() {}
    async sendZclFrameInterPANToIeeeAddr() {}
    async sendZclFrameInterPANBroadcast() {}
    async sendZclFrameToGroup() {}
    async sendZclFrameToAll() {}

    waitFor(networkAddress, endpoint, _frameType, _direction, transactionSequenceNumber, clusterId, commandId, defaultRspCommandId, timeout) {
        const waiter = this.waitress.waitFor({address: networkAddress, endpoint, clusterId, commandId, defaultRspCommandId, transactionSequenceNumber}, timeout);
        return {promise: waiter.start().promise, cancel: () => this.waitress.remove(waiter.ID)};
    }

    async sendZdo(_ieee, networkAddress, cluster) {
        if (networkAddress === this.sensor.networkAddress) {
            const answer = this.sensor.descriptors(cluster);
            return answer[1] ? answer : [Zdo.Status.SUCCESS, {}];
        }
        return {
            [Zdo.ClusterId.ACTIVE_ENDPOINTS_REQUEST]: [0, {nwkAddress: 0, endpointList: [1]}],
            [Zdo.ClusterId.SIMPLE_DESCRIPTOR_REQUEST]: [0, {
                nwkAddress: 0, length: 0, endpoint: 1, profileId: 0x0104, deviceId: 5, deviceVersion: 0, inClusterList: [], outClusterList: [genOta]}],
        }[cluster] ?? [Zdo.Status.SUCCESS, {}];
    }

    async sendZclFrameToEndpoint(_ieee, networkAddress, endpoint, frame, timeout, disableResponse) {
        let expected;
        if (frame.command.response !== undefined && disableResponse === false) expected = frame.command.response;
        else if (!frame.header.frameControl.disableDefaultResponse) expected = Zcl.Foundation.defaultRsp.ID;
        const waiter = expected === undefined ? undefined : this.waitress.waitFor({
            address: networkAddress, endpoint, clusterId: frame.cluster.ID, commandId: expected, defaultRspCommandId: undefined,
            transactionSequenceNumber: frame.header.transactionSequenceNumber}, timeout).start();
        setImmediate(() => this.sensor.hear(frame));
        return await waiter?.promise;
    }

    // receive hands a frame of the device to zigbee-herdsman.
    receive(device, clusterID, data) {
        const payload = {
            clusterID, header: Zcl.Header.fromBuffer(data), address: device.networkAddress, data, endpoint: device.endpoint,
            linkquality: 100, groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
        };
        this.waitress.resolve(payload);
        this.emit("zclPayload", payload);
    }

    announce(device) {
        this.emit("zdoResponse", Zdo.ClusterId.END_DEVICE_ANNOUNCE, [Zdo.Status.SUCCESS, {
            nwkAddress: device.networkAddress, eui64: device.ieeeAddr, capabilities: {rxOnWhenIdle: 0}}]);
    }
}

Adapter.create = async (...args) => new SimulatedRadio(...args);
