/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rings as a guest may write them, valid and not. */

#include "driver.h"
#include "tests/unit/test.h"

#define TX 1u
#define FEATURES                                                                                   \
        (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX))

static int set_up(void **state) {
        Driver *d = calloc(1, sizeof(*d));

        driver_init(d, FEATURES);
        if (driver_start(d, TX, 8, NULL) != 0)
                return -1;
        *state = d;
        return 0;
}

static int tear_down(void **state) {
        driver_done(*state);
        free(*state);
        return 0;
}

static RingResult take(Driver *d, RingBuffer *ret, Refusal *refusal) {
        static struct iovec iov[RING_IOV_MAX];

        return ring_take_avail(device_ring(&d->device, TX), &d->device.memory, false, iov, ret,
                               refusal);
}

static void expect_broken(Driver *d, const char *words) {
        Refusal refusal = {};
        RingBuffer buffer;

        assert_int_equal(take(d, &buffer, &refusal), RING_BROKEN);
        assert_refused((int)refusal.error, RAWNET_INVALID_ARGS, &refusal, words);
}

static void test_chain(void **state) {
        Driver *d = *state;
        RingBuffer buffer;

        driver_describe(d, TX, 3, DRIVER_DATA, 12, VRING_DESC_F_NEXT, 5);
        driver_describe(d, TX, 5, DRIVER_DATA + 100, 60, 0, 0);
        assert_int_equal(take(d, &buffer, NULL), RING_EMPTY);
        driver_add_avail(d, TX, 3);
        assert_int_equal(take(d, &buffer, NULL), RING_BUFFER);
        assert_int_equal(buffer.n_iov, 2);
        assert_int_equal(buffer.length, 72);
        assert_int_equal(buffer.head, 3);
        assert_ptr_equal(buffer.iov[1].iov_base, driver_at(d, DRIVER_DATA + 100));
        assert_int_equal(take(d, &buffer, NULL), RING_EMPTY);
        ring_return_avail(device_ring(&d->device, TX), 1);
        assert_int_equal(take(d, &buffer, NULL), RING_BUFFER);
}

static void test_buffer_over_two_regions(void **state) {
        Driver *d = *state;
        RingBuffer buffer;

        driver_describe(d, TX, 0, DRIVER_GUEST + DRIVER_REGION - 10, 30, 0, 0);
        driver_add_avail(d, TX, 0);
        assert_int_equal(take(d, &buffer, NULL), RING_BUFFER);
        assert_int_equal(buffer.n_iov, 2);
        assert_int_equal(buffer.iov[0].iov_len, 10);
        assert_ptr_equal(buffer.iov[1].iov_base, d->memory[1]);
        assert_int_equal(buffer.iov[1].iov_len, 20);
}

static void test_bad_descriptors(void **state) {
        static const struct {
                uint64_t address;
                uint32_t length;
                uint16_t flags, next;
                const char *words;
        } cases[] = {
                {DRIVER_DATA, 60, VRING_DESC_F_NEXT, 0, "loops"},
                {DRIVER_DATA, 60, VRING_DESC_F_NEXT, 8, "descriptor 8 of a table of 8"},
                {DRIVER_DATA, 0, 0, 0, "length 0"},
                {DRIVER_DATA, 60, VRING_DESC_F_WRITE, 0,
                 "device-writable descriptor in the transmit ring"},
                {DRIVER_GUEST - 1, 60, 0, 0, "not in the guest's memory"},
                {DRIVER_GUEST + 2 * DRIVER_REGION - 59, 60, 0, 0, "not in the guest's memory"},
                {UINT64_MAX - 10, 60, 0, 0, "not in the guest's memory"},
                {DRIVER_DATA, UINT32_MAX, 0, 0, "not in the guest's memory"},
                {DRIVER_DATA, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1,
                 "with a next descriptor"},
                {DRIVER_DATA, 24, VRING_DESC_F_INDIRECT, 0, "table of 24 bytes"},
                {DRIVER_DATA, 0, VRING_DESC_F_INDIRECT, 0, "table of 0 bytes"},
                {DRIVER_GUEST + 2 * DRIVER_REGION - 16, 32, VRING_DESC_F_INDIRECT, 0, "table at"},
                {DRIVER_GUEST + DRIVER_REGION - 16, 32, VRING_DESC_F_INDIRECT, 0, "table at"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                void *fresh = NULL;
                Driver *d;

                set_up(&fresh);
                d = fresh;
                driver_describe(d, TX, 0, cases[i].address, cases[i].length, cases[i].flags,
                                cases[i].next);
                driver_add_avail(d, TX, 0);
                expect_broken(d, cases[i].words);
                tear_down(&fresh);
        }
}

static void put_indirect(Driver *d, unsigned i, uint64_t address, uint32_t length, uint16_t flags,
                         uint16_t next) {
        struct vring_desc *table = (struct vring_desc *)(void *)driver_at(d, DRIVER_DATA);

        table[i] = (struct vring_desc){htole64(address), htole32(length), htole16(flags),
                                       htole16(next)};
}

static void test_indirect(void **state) {
        Driver *d = *state;
        RingBuffer buffer;

        driver_describe(d, TX, 0, DRIVER_DATA, 32, VRING_DESC_F_INDIRECT, 0);
        put_indirect(d, 0, DRIVER_DATA + 0x1000, 12, VRING_DESC_F_NEXT, 1);
        put_indirect(d, 1, DRIVER_DATA + 0x2000, 88, 0, 0);
        driver_add_avail(d, TX, 0);
        assert_int_equal(take(d, &buffer, NULL), RING_BUFFER);
        assert_int_equal(buffer.length, 100);
        put_indirect(d, 1, DRIVER_DATA, 32, VRING_DESC_F_INDIRECT, 0);
        driver_add_avail(d, TX, 0);
        expect_broken(d, "in an indirect table");
        put_indirect(d, 0, DRIVER_DATA, 32, VRING_DESC_F_NEXT, 2);
        expect_broken(d, "descriptor 2 of a table of 2");
        device_ring(&d->device, TX)->indirect = false;
        expect_broken(d, "not negotiated");
}

static void test_indirect_in_the_middle(void **state) {
        Driver *d = *state;

        driver_describe(d, TX, 0, DRIVER_DATA, 60, VRING_DESC_F_NEXT, 1);
        driver_describe(d, TX, 1, DRIVER_DATA, 32, VRING_DESC_F_INDIRECT, 0);
        driver_add_avail(d, TX, 0);
        expect_broken(d, "middle of a chain");
}

static void test_indices(void **state) {
        Driver *d = *state;

        driver_avail(d, TX)->ring[0] = htole16(8);
        driver_avail(d, TX)->idx = htole16(1);
        expect_broken(d, "descriptor 8");
        driver_avail(d, TX)->idx = htole16(9);
        device_ring(&d->device, TX)->seen_avail = 0;
        expect_broken(d, "from 0 to 9");
        device_ring(&d->device, TX)->seen_avail = 0;
        driver_avail(d, TX)->idx = htole16(UINT16_MAX);
        expect_broken(d, "from 0 to 65535");
}

static void test_too_long_a_chain(void **state) {
        Driver *d = *state;
        struct vring_desc *table = (struct vring_desc *)(void *)driver_at(d, DRIVER_DATA);

        for (unsigned i = 0; i < 1100; i++)
                table[i] =
                        (struct vring_desc){htole64(DRIVER_DATA), htole32(1),
                                            htole16(VRING_DESC_F_NEXT), htole16((uint16_t)(i + 1))};
        driver_describe(d, TX, 0, DRIVER_DATA, 1100 * 16, VRING_DESC_F_INDIRECT, 0);
        driver_add_avail(d, TX, 0);
        expect_broken(d, "more than 1022 iovec entries");
}

static void test_start(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);
        Refusal refusal = {};

        device_stop_ring(&d->device, TX);
        ring->user_used = DRIVER_USER + DRIVER_REGION - 64;
        assert_refused(device_set_kick(&d->device, TX, -1, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "used ring");
        ring->user_used = DRIVER_USER + 0x4002;
        assert_refused(device_set_kick(&d->device, TX, -1, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "used ring");
        ring->user_used = DRIVER_USER + 0x4000;
        ring->user_desc = UINT64_MAX - 15;
        assert_refused(device_set_kick(&d->device, TX, -1, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "descriptor table");
        ring->has_addresses = false;
        assert_refused(device_set_kick(&d->device, TX, -1, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "before");
}

/* The front end does not know how far the one before it had come. */
static void test_resumes(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);
        RingBuffer buffer;

        device_stop_ring(&d->device, TX);
        driver_used(d, TX)->idx = htole16(65534);
        driver_avail(d, TX)->idx = htole16(65534);
        driver_describe(d, TX, 0, DRIVER_DATA, 60, 0, 0);
        driver_avail(d, TX)->ring[65534 % 8] = htole16(0);
        driver_avail(d, TX)->idx = htole16(65535);
        ring->next_avail = 0;
        assert_int_equal(device_set_kick(&d->device, TX, -1, NULL), 0);
        assert_int_equal(take(d, &buffer, NULL), RING_BUFFER);
        assert_int_equal(buffer.head, 0);
        assert_int_equal(take(d, &buffer, NULL), RING_EMPTY);
        ring_add_used(ring, 0, 0);
        ring_publish_used(ring);
        assert_int_equal(le16toh(driver_used(d, TX)->idx), 65535);
        assert_int_equal(le32toh(driver_used(d, TX)->ring[65534 % 8].id), 0);
}

/* virtio 1.2, 2.7.7: the guest is notified when used->idx passes used_event, and not otherwise. */
static void test_notify_by_event(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);
        uint16_t *event = &driver_avail(d, TX)->ring[8];

        *event = htole16(1);
        assert_false(ring_publish_used(ring));
        ring_add_used(ring, 0, 0);
        assert_false(ring_publish_used(ring));
        ring_add_used(ring, 1, 0);
        assert_true(ring_publish_used(ring));
        ring_add_used(ring, 2, 0);
        assert_false(ring_publish_used(ring));
        assert_int_equal(le16toh(driver_used(d, TX)->idx), 3);
        assert_int_equal(le32toh(driver_used(d, TX)->ring[2].id), 2);
}

static void test_notify_by_flag(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);

        ring->event_idx = false;
        ring_add_used(ring, 0, 0);
        assert_true(ring_publish_used(ring));
        driver_avail(d, TX)->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
        ring_add_used(ring, 0, 0);
        assert_false(ring_publish_used(ring));
        ring_disable_notify(ring);
        assert_int_equal(le16toh(driver_used(d, TX)->flags), VRING_USED_F_NO_NOTIFY);
        assert_true(ring_enable_notify(ring));
        assert_int_equal(driver_used(d, TX)->flags, 0);
}

static void test_kick_by_event(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);
        uint16_t event;

        driver_describe(d, TX, 0, DRIVER_DATA, 60, 0, 0);
        assert_true(ring_enable_notify(ring));
        driver_add_avail(d, TX, 0);
        assert_false(ring_enable_notify(ring));
        assert_int_equal(take(d, &(RingBuffer){}, NULL), RING_BUFFER);
        assert_true(ring_enable_notify(ring));
        memcpy(&event, &driver_used(d, TX)->ring[8], sizeof(event));
        assert_int_equal(le16toh(event), 1);
}

/* The guest kicks a ring whose avail->idx stays 0: it writes to other memory. The second kick after
 * a start reports it, since the first may be QEMU's own. */
static void test_kicks_of_an_empty_ring(void **state) {
        Driver *d = *state;
        Ring *ring = device_ring(&d->device, TX);

        for (unsigned start = 0; start < 2; start++) {
                assert_false(ring_note_kick(ring));
                assert_true(ring_note_kick(ring));
                assert_false(ring_note_kick(ring));
                device_stop_ring(&d->device, TX);
                assert_false(ring_note_kick(ring));
                assert_int_equal(driver_start(d, TX, 8, NULL), 0);
        }
        /* avail->idx moves, also where it was read before the kick. */
        assert_false(ring_note_kick(ring));
        driver_add_avail(d, TX, 0);
        assert_false(ring_note_kick(ring));
        driver_avail(d, TX)->idx = 0;
        assert_false(ring_note_kick(ring));
        assert_false(ring_note_kick(ring));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_chain),
                TEST(test_buffer_over_two_regions),
                TEST(test_bad_descriptors),
                TEST(test_indirect),
                TEST(test_indirect_in_the_middle),
                TEST(test_indices),
                TEST(test_too_long_a_chain),
                TEST(test_start),
                TEST(test_resumes),
                TEST(test_notify_by_event),
                TEST(test_notify_by_flag),
                TEST(test_kick_by_event),
                TEST(test_kicks_of_an_empty_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
