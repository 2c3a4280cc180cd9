// What the tests stand on: a house for each class, phones with folders of their own, and bounded waits for what they are told.
// XCTest and not Testing, because its classes have a beginning and an end.
import Foundation
import Privet
import XCTest

/// How long anything may take that waits for a camera's next crossing of the box (every six seconds), or for a machine under load, in seconds.
let soon: TimeInterval = 60
let ever = Int64.max / 2
/// The id of nothing.
let nobody = String(repeating: "00", count: 16)

class Scratch: XCTestCase {
    private(set) var folder = URL(fileURLWithPath: "/")
    private var phones: [Phone] = []

    override func setUp() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("privet-swift-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDown() async throws {
        for phone in phones { try await phone.shut() }
        phones = []
        try FileManager.default.removeItem(at: folder)
    }

    func phone(_ name: String) -> Phone {
        let phone = Phone(folder, name)
        phones.append(phone)
        return phone
    }
}

/// With a house; the relay itself is before the phones, unless other words are given.
class AtHome: Scratch {
    class var words: [String] { ["--honest"] }
    /// Classes run one after the other, so there is one at a time.
    private static var current: House?

    var house: House { Self.current! }

    override class func setUp() {
        do { current = try House(words) } catch { fatalError("no house, and so no test: \(error)") }
    }

    override class func tearDown() {
        do { try current?.close() } catch { XCTFail("\(error)") }
        current = nil
    }

    func paired(_ name: String) async throws -> Client {
        try await pair(phone(name))
    }

    @discardableResult
    func pair(_ phone: Phone) async throws -> Client {
        let client = if let client = phone.client { client } else { try await phone.open() }
        try await client.pair(offer: PairingOffer.parse(qr: house.offer()))
        return client
    }
}

/// What one phone keeps over its clients: where its store is, and what it is called.
final class Phone {
    let name: String
    private let folder: URL
    var client: Client?

    init(_ folder: URL, _ name: String) {
        (self.folder, self.name) = (folder, name)
    }

    func open() async throws -> Client {
        let client = try await Client.open(config: config(folder, name), keys: FileKeys(path: folder.appendingPathComponent("\(name).key").path))
        self.client = client
        return client
    }

    func shut() async throws {
        let client = client
        self.client = nil
        try await client?.shutDown()
    }
}

func config(_ folder: URL, _ name: String) -> Config {
    Config(storageDir: folder.appendingPathComponent(name).path, deviceName: name, cacheLimitMib: 64, appVersion: "test")
}

/// The error that a call must end with, by the name of its case.
@discardableResult
func fails<T>(_ name: String, file: StaticString = #filePath, line: UInt = #line, _ call: () async throws -> T) async throws -> CoreError {
    let value: T
    do {
        value = try await call()
    } catch let error as CoreError {
        XCTAssertEqual(name, "\(error)".prefix { $0 != "(" }.description, "\(error)", file: file, line: line)
        return error
    }
    XCTFail("there was no \(name), but \(value)", file: file, line: line)
    throw InVain(description: "no \(name)")
}

/// Looks again and again until there is something.
@discardableResult
func until<T>(_ what: String, _ look: () async throws -> T?) async throws -> T {
    let end = Date() + soon
    while Date() < end {
        if let found = try await look() { return found }
        try await Task.sleep(nanoseconds: 100_000_000)
    }
    throw InVain(description: "waited in vain for \(what)")
}

/// What a call that goes on beside the test ends with, which has to be soon.
func outcome<T>(of call: Task<T, Error>, within seconds: TimeInterval) async throws -> Result<T, Error> {
    try await withCheckedThrowingContinuation { continuation in
        let once = Once(continuation)
        Task { once.resume(.success(await call.result)) }
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { once.resume(.failure(InVain(description: "it goes on after \(seconds) s"))) }
    }
}

private final class Once<T> {
    private let lock = NSLock()
    private var continuation: CheckedContinuation<T, Error>?

    init(_ continuation: CheckedContinuation<T, Error>) {
        self.continuation = continuation
    }

    func resume(_ result: Result<T, Error>) {
        lock.lock()
        let waiting = continuation
        continuation = nil
        lock.unlock()
        waiting?.resume(with: result)
    }
}

extension Client {
    /// The next event that is wanted; those before it are passed over.
    @discardableResult
    func event<T>(_ what: String, _ wanted: (Event) -> T?) async throws -> T {
        var seen: [Event] = []
        let end = Date() + soon
        while Date() < end {
            guard let event = try await nextEvent(waitMs: 500) else { continue }
            if let found = wanted(event) { return found }
            seen.append(event)
        }
        throw InVain(description: "waited in vain for \(what); there were \(seen); \(try await status())")
    }

    /// That somebody came, went or has another name.
    func hears(of name: String) async throws {
        try await event("word of \(name)") { if case .devicesChanged(let what) = $0, what.contains(name) { () } else { nil } }
    }

    func newest() async throws -> [ClipInfo] {
        try await clips(cameraId: nil, fromMs: 0, toMs: ever, page: nil, limit: 50).clips
    }

    /// The newest finished clip that is not among those known.
    func finishedClip(besides known: [ClipInfo] = []) async throws -> ClipInfo {
        try await until("a finished clip") { try await newest().first { clip in clip.finished && !known.contains { $0.id == clip.id } } }
    }

    /// A finished clip of a motion that this phone was told of: it was a member before.
    func clipOfMotion() async throws -> ClipInfo {
        let id = try await event("a motion") { if case .happened(let event) = $0, event.kind == "motion" { event.clipId } else { nil } }
        return try await until("its end") { try await newest().first { $0.finished && $0.id == id } }
    }

    func live(_ format: LiveFormat = .accessUnits) async throws -> Live {
        try await openLive(cameraId: cameras()[0].id, format: format, bufferMs: 2000)
    }

    /// That live pictures come and verify.
    func watch() async throws -> Live {
        let live = try await live()
        try await live.take { $0.last!.verified }
        return live
    }

    func names() async throws -> Set<String> {
        Set(try await devices().map(\.name))
    }

    func sees(_ names: String...) async throws {
        try await until("\(names)") { try await self.names().isSuperset(of: names) ? () : nil }
    }
}

extension Live {
    /// What the view gives until it is enough.
    @discardableResult
    func take(_ enough: ([LiveItem]) -> Bool) async throws -> [LiveItem] {
        var seen: [LiveItem] = []
        let end = Date() + soon
        while Date() < end {
            let item = try await next(waitMs: 1000)
            if case .idle = item { continue }
            seen.append(item)
            if enough(seen) { return seen }
            if case .end(let reason) = item { throw InVain(description: "it ended: \(reason)") }
        }
        throw InVain(description: "not enough within \(soon) s: \(seen.count) items, the last \(seen.suffix(3))")
    }

    /// Takes items until the view says that it is over.
    func ended() async throws {
        do {
            while true {
                if case .end = try await next(waitMs: 1000) { return }
            }
        } catch CoreError.Stopped, CoreError.Revoked, CoreError.Background {}
    }
}

extension LiveItem {
    var picture: (frame: UInt64, ptsUs: Int64, key: Bool, trust: Trust, data: Data)? {
        if case .media(.video, let pts, _, _, let frame, let key, let trust, let data) = self { (frame, pts, key, trust, data) } else { nil }
    }

    var segment: (first: UInt64, last: UInt64, trust: Trust)? {
        if case .segment(_, _, let first, let last, let trust) = self { (first, last, trust) } else { nil }
    }

    var verified: Bool {
        if case .verified = segment?.trust { true } else { false }
    }
}
