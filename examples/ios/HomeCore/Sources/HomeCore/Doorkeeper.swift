import Foundation

/// Who needs the store: the screen, a refresh in the background, a new push token. The first one opens it, the last one lets go of
/// it, so that a process which the system suspends holds no file and no lock (iOS ends one that does, with 0xdead10cc). The
/// client itself stays: its key was asked of the keychain once.
public actor Doorkeeper {
    private let open: @Sendable () async throws -> any Home
    private var home: (any Home)?
    private var users = 0
    private var last: Task<Void, Never>?

    public init(open: @escaping @Sendable () async throws -> any Home) { self.open = open }

    public func use<T: Sendable>(_ work: @Sendable (any Home) async throws -> T) async throws -> T {
        let home = try await inTurn { try await self.enter() }
        do {
            let result = try await work(home)
            try await inTurn { try await self.leave() }
            return result
        } catch {
            try? await inTurn { try await self.leave() }
            throw error
        }
    }

    private func enter() async throws -> any Home {
        let here: any Home
        if let home {
            here = home
            if users == 0 { try await here.foreground() }
        } else {
            here = try await open()
            home = here
        }
        users += 1
        return here
    }

    /// Within four seconds: the system gives some five.
    private func leave() async throws {
        users -= 1
        if users == 0 { try await home?.background(withinMs: 4_000) }
    }

    /// An actor lets others in while it waits; opening and closing must not overlap. Also finishes when its caller is cancelled.
    private func inTurn<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        let before = last
        let mine = Task {
            await before?.value
            return try await work()
        }
        last = Task { _ = try? await mine.value }
        return try await mine.value
    }
}
