// `privet-house` as XCTest sees it: a real relay, hub and cameras, told what to do in lines of JSON (docs/design/0020-phone-bindings.md); and another
// process with a phone's store. Every wait is bounded.
import Foundation
import XCTest

struct InVain: Error, CustomStringConvertible {
    let description: String
}

final class House {
    private let program: LineProgram
    let relay: String
    let cameras: [String]

    init(_ words: [String]) throws {
        guard let house = environment("PRIVET_HOUSE") else { throw InVain(description: "PRIVET_HOUSE says where privet-house is; ./dev test swift sets it") }
        // Where Swift is in another Debian than the house: how a program of the real machine is run.
        let outside = (environment("PRIVET_OUTSIDE") ?? "").split(separator: " ").map(String.init)
        program = try LineProgram(outside + [house] + words)
        let ready = try Self.understood(program.line())
        guard let relay = ready["relay"] as? String, let cameras = ready["cameras"] as? [String] else { throw InVain(description: "\(ready)") }
        (self.relay, self.cameras) = (relay, cameras)
    }

    /// One line, and its answer.
    @discardableResult
    func tell(_ what: String, _ more: [String: Any] = [:]) async throws -> [String: Any] {
        let wish = try JSONSerialization.data(withJSONObject: more.merging(["do": what]) { first, _ in first })
        return try await blocking {
            self.program.write(wish + Data("\n".utf8))
            return try Self.understood(self.program.line())
        }
    }

    func offer() async throws -> String {
        guard let offer = try await tell("offer")["offer"] as? String else { throw InVain(description: "the house gave no code") }
        return offer
    }

    func devices() async throws -> [String] {
        let devices = try await tell("devices")["devices"] as? [[String: Any]]
        return devices?.compactMap { $0["name"] as? String } ?? []
    }

    /// While the camera, the relay, the hub (`what`) is off.
    func without<T>(_ what: String, _ test: () async throws -> T) async throws -> T {
        try await during(what, is: false, test)
    }

    func tampering<T>(_ test: () async throws -> T) async throws -> T {
        try await during("tamper", is: true, test)
    }

    private func during<T>(_ what: String, is on: Bool, _ test: () async throws -> T) async throws -> T {
        try await tell(what, ["on": on])
        let outcome: Result<T, Error>
        do { outcome = .success(try await test()) } catch { outcome = .failure(error) }
        try await tell(what, ["on": !on])
        return try outcome.get()
    }

    /// Its input ends, and so must it, with everything that it started.
    func close() throws {
        try program.end()
    }

    private static func understood(_ line: String) throws -> [String: Any] {
        guard let answer = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { throw InVain(description: line) }
        if let error = answer["error"] { throw InVain(description: "privet-house: \(error)") }
        return answer
    }
}

final class Other {
    private let program: LineProgram

    init(_ folder: URL, _ name: String, _ words: [String]) throws {
        program = try LineProgram([Bundle.main.bundleURL.appendingPathComponent("Other").path, folder.path, name] + words)
    }

    func says() async throws -> String {
        try await blocking { try self.program.line() }
    }

    func goOn() {
        program.write(Data("\n".utf8))
    }

    /// As the system kills: without a word.
    func kill() throws {
        try program.kill()
    }
}

func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name]
}

/// On a thread that may wait. Those of Swift's tasks may not: there are as few as the machine has cores.
func blocking<T>(_ call: @escaping () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: call)) }
    }
}

/// A program that is told lines and says lines.
private final class LineProgram {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let ended = DispatchSemaphore(value: 0)
    private let changed = NSCondition()
    private var lines: [String] = []
    private var over = false

    init(_ words: [String]) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = input
        process.standardOutput = output
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
        Thread.detachNewThread { self.readLines() }
    }

    /// The next line; starting a hub or a camera may take its time.
    func line() throws -> String {
        changed.lock()
        defer { changed.unlock() }
        let end = Date() + 90
        while lines.isEmpty {
            guard !over, changed.wait(until: end) else { throw InVain(description: "\(process.arguments ?? []) says nothing") }
        }
        return lines.removeFirst()
    }

    func write(_ line: Data) {
        input.fileHandleForWriting.write(line)
    }

    func end() throws {
        try input.fileHandleForWriting.close()
        guard ended.wait(timeout: .now() + 30) == .success else {
            try kill()
            throw InVain(description: "\(process.arguments ?? []) goes on without input")
        }
    }

    func kill() throws {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        guard ended.wait(timeout: .now() + 60) == .success else { throw InVain(description: "\(process.processIdentifier) can't be killed") }
    }

    private func readLines() {
        var rest = Data()
        while case let data = output.fileHandleForReading.availableData, !data.isEmpty {
            rest += data
            while let end = rest.firstIndex(of: 0x0A) {
                said(String(decoding: rest[..<end], as: UTF8.self))
                rest = Data(rest[(end + 1)...])
            }
        }
        said(nil)
    }

    private func said(_ line: String?) {
        changed.lock()
        if let line { lines.append(line) } else { over = true }
        changed.signal()
        changed.unlock()
    }
}
